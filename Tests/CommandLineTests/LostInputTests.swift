import Foundation
import TestSupport
import Testing

// What is written goes to a pipe, which when full holds the work up until the input has changed.
@Suite("Inputs that are lost on the way")
struct LostInputTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // A mapped file ends the process, which names it.
    @Test func inputThatIsCut() throws {
        let tokens = 2_000_000
        _ = try folder.write(
            LiteralActivations().without("labels")
                .with("hidden_states", "F32", [tokens, 2], Array(repeating: 0, count: tokens * 8))
                .with("offsets", "I64", [2], integerBytes(0, tokens)).file, to: "data.safetensors")
        let script = """
            mkfifo pipe; \(Command.tool.path) convert data.safetensors --dtype f16 --out pipe --quiet &
            (head -c 100000; truncate -s 4096 data.safetensors; cat) < pipe > /dev/null; wait $!
            """
        let cut = try Command.run("/bin/bash", ["-c", script], in: folder.path)
        #expect(cut.status == 74, "\(cut)")
        #expect(cut.error.hasPrefix("attnprobe: /"), "\(cut)")
        #expect(cut.error.hasSuffix("/data.safetensors: it was cut, or its disk failed, while it was read\n"))
    }

    // An archive that is unpacked on disk may be good where that is full.
    @Test func noRoomToUnpack() throws {
        _ = try folder.write(LiteralArchive.large, to: "data.npz")
        func inspect(_ start: String) throws -> CommandResult {
            let line = "\(start) \(Command.tool.path) inspect data.npz"
            return try Command.run("/bin/bash", ["-c", line], in: folder.path)
        }
        for start in ["TMPDIR=/none", "ulimit -f 20000;"] {
            let failed = try inspect(start)
            #expect(failed.status == 74, "\(failed)")
            #expect(failed.error.contains("data.npz: expected room to unpack"), "\(failed)")
        }
        #expect(try inspect("TMPDIR=").status == 0)
    }

    // Small files, more than may be open at a time.
    @Test func inputThatIsReplaced() throws {
        try FileManager.default.createDirectory(atPath: folder("many"), withIntermediateDirectories: false)
        let file = LiteralActivations().without("labels")
            .with("hidden_states", "F32", [3000, 2], Array(repeating: 0, count: 24000))
            .with("offsets", "I64", [2], integerBytes(0, 3000)).file
        for number in 100..<200 { _ = try folder.write(file, to: "many/\(number).safetensors") }
        let script = """
            ulimit -n 64; mkfifo pipe; \(Command.tool.path) convert many --out pipe --quiet &
            (head -c 1000; cp many/100.safetensors new; mv new many/199.safetensors; cat) < pipe > /dev/null
            wait $!
            """
        let replaced = try Command.run("/bin/bash", ["-c", script], in: folder.path)
        #expect(replaced.status == 65, "\(replaced)")
        #expect(replaced.error.contains("199.safetensors: "), "\(replaced)")
        #expect(replaced.error.contains("it was replaced or deleted while it was read"), "\(replaced)")
    }

    // OpenBLAS starts threads when it is loaded, and the system waits for ever for those that have no addresses for their
    // stacks. (With still fewer, the libraries cannot be loaded at all.)
    @Test(arguments: [160_000, 200_000, 260_000])
    func littleAddressSpace(kilobytes: Int) throws {
        _ = try folder.write(LiteralActivations().file, to: "data.safetensors")
        let line = "ulimit -v \(kilobytes); timeout -s KILL 60 \(Command.tool.path) inspect data.safetensors"
        let result = try Command.run("/bin/bash", ["-c", line], in: folder.path)
        let isLoaded = !result.error.contains("shared libraries")
        #expect(!isLoaded || result.output.contains("2 sequences"), "\(result)")
    }

    // OpenBLAS asks for its buffer of 128 MB for ever where it cannot have it.
    @Test(arguments: ["lda", "mlp-attention"]) func littleDataForOpenBLAS(kind: String) throws {
        let line =
            "ulimit -d 150000; timeout -s KILL 60 \(Command.tool.path) train "
            + "\(Command.example("injection-train")) --kind \(kind) --out probe"
        let result = try Command.run("/bin/bash", ["-c", line], in: folder.path)
        #expect(
            result.status == 64 && result.error.contains("left of ulimit -d, found at least "), "\(result)")
    }

    // Found before the training, not when the probe is to be written.
    @Test func fewOpenFiles() throws {
        _ = try folder.write(LiteralActivations().file, to: "data.safetensors")
        let line = "ulimit -n 6; exec \(Command.tool.path) train data.safetensors --out probe"
        let result = try Command.run("/bin/bash", ["-c", line], in: folder.path)
        #expect(result.status == 74, "\(result)")
        #expect(result.error == "attnprobe: cannot open 16 files at a time: Too many open files\n")
    }
}
