import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Where commands write")
struct TargetTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try needleSet(count: 40, width: 4).write(to: folder("data.safetensors"))
        try needleSet(count: 40, width: 4, seed: 2).write(to: folder("test.safetensors"))
        let rows = (0..<40).map { "\($0),\($0 % 2 == 0 ? "none" : "needle")\n" }
        _ = try folder.write(Array(("id,label\n" + rows.joined()).utf8), to: "labels.csv")
        _ = try folder.write(Array("1\n2\n".utf8), to: "ids.safetensors")
        try Probe(
            .attention(heads: 1), width: 4, task: .binary(classes: ["none", "needle"]),
            parameters: randomFloats(10, seed: 1)
        ).write(to: folder("probe"))
    }

    private func run(_ line: String) throws -> CommandResult {
        try Command.run(
            "/bin/bash", ["-c", line.replacing("attnprobe", with: Command.tool.path)], in: folder.path)
    }

    @Test(arguments: [
        ("out", "labels.csv", "train data.safetensors --labels labels.csv --out labels.csv"),
        ("out", "data.safetensors", "train data.safetensors --out data.safetensors"),
        (
            "out", "test.safetensors",
            "train data.safetensors --validation test.safetensors --out test.safetensors"
        ),
        (
            "out-of-fold", "labels.csv",
            "train data.safetensors --select --labels labels.csv --out x --out-of-fold labels.csv"
        ),
        ("out", "labels.csv", "train data.safetensors --select --labels labels.csv --out labels.csv"),
        ("out", "labels.csv", "report probe data.safetensors --labels labels.csv --out labels.csv"),
        ("out", "probe", "report probe data.safetensors --out probe"),
        ("out", "data.safetensors", "report probe data.safetensors --out ./data.safetensors"),
        (
            "report", "labels.csv",
            "compare data.safetensors --test test.safetensors --labels labels.csv --report labels.csv"
        ),
        (
            "report", "test.safetensors",
            "compare data.safetensors --test test.safetensors --report test.safetensors"
        ),
        ("out", "probe", "score probe data.safetensors --out probe --format csv"),
        ("out", "ids.safetensors", "convert data.safetensors --ids ids.safetensors --out ids"),
        ("out", "link", "convert data.safetensors --labels labels.csv --out link"),
    ])
    func inputsAreNotWrittenOver(option: String, file: String, line: String) throws {
        // A name that leads to the labels, as `convert` writes it.
        try FileManager.default.createSymbolicLink(
            atPath: folder("link.safetensors"), withDestinationPath: "labels.csv")
        let names = try folder.names
        let before = try names.map { try Data(contentsOf: URL(fileURLWithPath: folder($0))) }
        let refused = try run("attnprobe \(line) --quiet")
        #expect(refused.status == 64, "\(refused)")
        #expect(refused.error.hasPrefix("Error: --\(option): "), "\(refused.error)")
        #expect(refused.error.contains("\(file)") && refused.error.contains(" is also an input"))
        #expect(try folder.names == names)
        #expect(try names.map { try Data(contentsOf: URL(fileURLWithPath: folder($0))) } == before)
    }

    @Test(arguments: [
        "train data.safetensors --out NAME", "train data.safetensors --select --out x --out-of-fold NAME",
        "report probe data.safetensors --out NAME", "score probe data.safetensors --out NAME --format csv",
        "convert data.safetensors --out NAME",
        "compare data.safetensors --test test.safetensors --report NAME",
    ])
    func namesThatAreTooLongAreRefusedBeforeTheWork(line: String) throws {
        let names = try folder.names
        let name = String(repeating: "x", count: 256)
        let refused = try run("attnprobe \(line.replacing("NAME", with: name))")
        #expect(refused.status == 74, "\(refused)")
        #expect(refused.error.hasPrefix("attnprobe: cannot write x"), "\(refused.error)")
        #expect(refused.error.hasSuffix(": File name too long\n"), "\(refused.error)")
        #expect(refused.output.isEmpty)
        #expect(try folder.names == names)
    }

    @Test(arguments: [("no/out", "No such file or directory"), ("/dev/full", "No space left")])
    func placesThatCannotBeWritten(out: String, words: String) throws {
        let refused = try run("attnprobe convert data.safetensors --out \(out) --quiet")
        #expect(refused.status == 74 && refused.error.contains(words), "\(refused)")
        #expect(!FileManager.default.fileExists(atPath: folder("no")))
    }

    // Mounts need the rights of an administrator.
    private static let canMount =
        (try? Command.run("/bin/bash", ["-c", "unshare -m mount -t tmpfs none /mnt"], in: "/"))?.status == 0

    @Test(
        .enabled(if: TargetTests.canMount),
        arguments: [
            ("train data.safetensors --kind mean --out out", "probe"),
            ("score probe data.safetensors --out out", "id"),
            ("report probe data.safetensors --out out", "html"),
        ])
    func aFileThatIsMountedAloneIsWritten(line: String, words: String) throws {
        _ = try folder.write([9], to: "disk")
        _ = try folder.write([], to: "out")
        let names = try folder.names
        let done = try run(
            "unshare -m bash -c 'mount --bind disk out && attnprobe \(line) --quiet && cmp disk out'")
        #expect(done.status == 0, "\(done)")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder("disk")))
        let written = String(decoding: bytes, as: UTF8.self)
        #expect(written.contains(words) && written.count > 200)
        #expect(try folder.names == names)
    }

    @Test(.enabled(if: TargetTests.canMount))
    func aMountedFileThatCannotBeWrittenIsRefusedBeforeTheWork() throws {
        for name in ["disk", "a file"] { _ = try folder.write([], to: name) }
        let names = try folder.names
        let refused = try run(
            "unshare -m bash -c 'mount --bind disk \"a file\" && mount -o remount,bind,ro \"a file\" && "
                + "attnprobe train data.safetensors --out \"a file\"'")
        #expect(refused.status == 74)
        #expect(refused.error == "attnprobe: cannot write a file: Read-only file system\n")
        #expect(try folder.names == names)
    }

    @Test(.enabled(if: TargetTests.canMount))
    func aComparisonOnAFullDiskLeavesNothing() throws {
        let done = try run(
            """
            mkdir disk; unshare -m bash -c '
                mount -t tmpfs -o size=16k none disk; head -c 16k /dev/zero > disk/full
                attnprobe compare data.safetensors --test test.safetensors --report disk/report; ls -A disk'
            """)
        #expect(done.error.contains("No space left on device"), "\(done)")
        #expect(done.output == "full\n")
    }

    // What cannot be unpacked is NaN in as many pages as the archive states, wherever they come from.
    @Test(.enabled(if: TargetTests.canMount))
    func aDamagedArchiveIsNamedWithoutSharedMemory() throws {
        var archive = LiteralArchive.large
        archive[archive.count / 2] ^= 1
        _ = try folder.write(archive, to: "data.npz")
        try Probe(.mean, width: 2, task: .regression(outputs: 1), parameters: [1, 2, 3])
            .write(to: folder("narrow"))
        let done = try run(
            "unshare -m bash -c 'mount -t tmpfs -o size=4k none /dev/shm; attnprobe score narrow data.npz'")
        #expect(done.status == 65, "\(done)")
        #expect(done.error.hasPrefix("attnprobe: data.npz: expected an archive that can be"), "\(done)")
    }
}
