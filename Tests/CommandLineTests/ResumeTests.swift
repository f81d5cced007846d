import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Scoring many files with many probes, and going on after a fault")
struct ResumeTests {
    private let folder: TemporaryFolder
    private let probes: [String]
    // The row that each of two sequences gives in a file of its own.
    private let good = LiteralActivations()
    private var bad: LiteralActivations {
        good.with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, .nan, 6))
    }

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        for name in ["probes", "shards", "others"] {
            try FileManager.default.createDirectory(
                atPath: folder(name), withIntermediateDirectories: false)
        }
        probes = try (0..<3).map { number in
            let parameters = randomFloats(6, seed: UInt64(number))
            let probe = Probe(
                .attention(heads: 1), width: 2, task: .binary(classes: ["no", "yes"]),
                parameters: parameters)
            let path = folder("probes/p\(number).safetensors")
            try probe.write(to: path)
            return path
        }
        _ = try folder.write(good.file, to: "shards/a.safetensors")
        _ = try folder.write(bad.file, to: "shards/b.safetensors")
        _ = try folder.write(good.file, to: "shards/c.safetensors")
    }

    private func repair() throws { _ = try folder.write(good.file, to: "shards/b.safetensors") }

    private func content(_ name: String) throws -> String {
        try String(contentsOfFile: folder(name), encoding: .utf8)
    }

    @Test(arguments: ["jsonl", "csv"])
    func goesOnBehindWhatIsThere(format: String) throws {
        let out = folder("scores.\(format)")
        let failed = try Command.run("score", folder("probes"), folder("shards"), "--out", out)
        #expect(failed.status == 65 && failed.error.contains("b.safetensors"))
        #expect(failed.error.contains("3 of 6 rows are in \(out).partial"))
        #expect(!FileManager.default.fileExists(atPath: out))
        let kept = try content("scores.\(format).partial")

        try repair()
        let whole = try Command.run(
            "score", folder("probes"), folder("shards"), "--out", folder("whole.\(format)"))
        #expect(whole.status == 0)
        #expect(try content("whole.\(format)").hasPrefix(kept) && !kept.isEmpty)
        let resumed = try Command.run(
            "score", folder("probes"), folder("shards"), "--out", out, "--resume")
        #expect(resumed.status == 0 && resumed.error.contains("going on behind 3 of 6 rows"))
        #expect(try content("scores.\(format)") == content("whole.\(format)"))
        #expect(try !folder.names.contains("scores.\(format).partial"))
    }

    // A run that was killed may leave half a row.
    @Test func halfARowIsWrittenAgain() throws {
        let out = folder("scores.jsonl")
        _ = try Command.run("score", probes[0], folder("shards"), "--out", out)
        let kept = try content("scores.jsonl.partial")
        _ = try folder.write(Array((kept + "{\"id\":\"3").utf8), to: "scores.jsonl.partial")
        try repair()
        #expect(
            try Command.run("score", probes[0], folder("shards"), "--out", out, "--resume").status == 0)
        let whole = try Command.run("score", probes[0], folder("shards")).output
        #expect(try content("scores.jsonl") == whole)
    }

    @Test func rowsOfOtherProbesAreRefused() throws {
        let out = folder("scores.jsonl")
        _ = try Command.run("score", probes[0], folder("shards"), "--out", out)
        let kept = try content("scores.jsonl.partial")
        try repair()
        let other = try Command.run("score", probes[1], folder("shards"), "--out", out, "--resume")
        #expect(other.status == 65 && other.error.contains("scores.jsonl.partial"))
        #expect(try content("scores.jsonl.partial") == kept)
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    @Test(arguments: ["mine", "mine\n", "{\"id\":"]) func whatIsNoRowIsRefused(text: String) throws {
        try repair()
        _ = try folder.write(Array(text.utf8), to: "scores.csv.partial")
        let result = try Command.run(
            "score", probes[0], folder("shards"), "--out", folder("scores.csv"), "--resume")
        #expect(result.status == 65 && result.error.contains("delete the file to start anew"), "\(result)")
        #expect(try content("scores.csv.partial") == text)
    }

    @Test func nothingToGoOnFromStartsAnew() throws {
        try repair()
        let out = folder("scores.jsonl")
        let result = try Command.run("score", probes[0], folder("shards"), "--out", out, "--resume")
        #expect(result.status == 0)
        #expect(try content("scores.jsonl").split(separator: "\n").count == 6)
    }

    @Test func aFaultInTheFirstSequenceLeavesNothing() throws {
        let data = try folder.write(
            good.with("hidden_states", "F32", [3, 2], floatBytes(.nan, 2, 3, 4, 5, 6)).file, to: "first")
        let before = try folder.names
        #expect(
            try Command.run("score", probes[0], data, "--out", folder("scores.jsonl")).status == 65)
        #expect(try folder.names == before)
    }

    @Test func severalProbesAreThoseAlone() throws {
        try repair()
        let together = try Command.run("score", probes[0], probes[2], folder("shards")).output
        let rows = try together.split(separator: "\n").map { try object(String($0)) }
        for (name, probe) in [("p0", probes[0]), ("p2", probes[2])] {
            let alone = try Command.run("score", probe, folder("shards")).output.split(separator: "\n")
            for (row, line) in zip(rows, alone) {
                let expected = try object(String(line))
                let found = try #require((row["probes"] as? [String: Any])?[name] as? [String: Any])
                #expect(row["id"] as? String == expected["id"] as? String)
                #expect(found["label"] as? String == expected["label"] as? String)
                let (a, b) = try (
                    #require(found["logits"] as? [Double]), #require(expected["logits"] as? [Double])
                )
                #expect(abs(a[0] - b[0]) < 1e-5 * max(1, abs(b[0])))
            }
        }
        let csv = try Command.run("score", probes[0], probes[2], folder("shards"), "--format", "csv").output
        #expect(csv.hasPrefix("id,p0.logit,p0.probability,p0.label,p2.logit,p2.probability,p2.label\r\n"))
        let path = folder("scores.safetensors")
        #expect(
            try Command.run("score", probes[0], probes[2], folder("shards"), "--out", path).status == 0)
        let file = try Safetensors.open(path: path)
        #expect(file.tensors["p2.logits"]?.shape == [6, 1] && file.metadata["p0.task"] == "binary")
    }

    @Test func aProbeOfAnotherWidthIsNamed() throws {
        let wide = Probe(.mean, width: 3, task: .binary(classes: ["no", "yes"]), parameters: [1, 1, 1, 0])
        try wide.write(to: folder("probes/wide.safetensors"))
        let result = try Command.run("score", folder("probes"), folder("shards"))
        #expect(result.status == 65 && result.output.isEmpty)
        #expect(result.error.contains("wide.safetensors") && result.error.contains("p0.safetensors, 2"))
    }

    @Test func aProbeGivenTwiceIsAMistake() throws {
        let result = try Command.run("score", probes[0], folder("probes"), folder("shards"))
        #expect(result.status == 64 && result.error.contains("given twice"))
    }

    @Test func rowsOfEarlierRunsAreNotThrownAway() throws {
        let out = folder("scores.jsonl")
        _ = try Command.run("score", probes[0], folder("shards"), "--out", out)
        let kept = try content("scores.jsonl.partial")
        let again = try Command.run("score", probes[0], folder("shards"), "--out", out)
        #expect(again.status == 64 && again.error.contains("--resume"))
        #expect(try content("scores.jsonl.partial") == kept)
    }

    @Test func anInputIsNeverThePartialOutput() throws {
        let data = try folder.write(good.file, to: "scores.jsonl.partial")
        let result = try Command.run("score", probes[0], data, "--out", folder("scores.jsonl"))
        #expect(result.status == 64 && result.error.contains("is also an input"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: data)) == Data(good.file))
    }

    // Every id of the kept rows is compared, also with quotation marks in it.
    @Test(arguments: ["jsonl", "csv"])
    func idsAreCompared(format: String) throws {
        let ids = ["s1\"0", "s,2\"", "line\nbreak"]
        let offsets = ids.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.utf8.count) }
        let named = good.with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, 5, 6))
            .with("offsets", "I64", [4], integerBytes(0, 1, 2, 3)).without("labels")
            .with("sequence_ids", "U8", [offsets[3]], ids.flatMap { Array($0.utf8) })
            .with("sequence_ids_offsets", "I64", [4], offsets.flatMap { integerBytes($0) })
        let data = try folder.write(named.file, to: "named.safetensors")
        let (out, whole) = (folder("scores.\(format)"), folder("whole.\(format)"))
        #expect(try Command.run("score", probes[0], data, "--out", whole).status == 0)
        let rows = try content("whole.\(format)")
        let partial = folder("scores.\(format).partial")
        try rows.dropLast(4).description.write(toFile: partial, atomically: true, encoding: .utf8)
        #expect(try Command.run("score", probes[0], data, "--out", out, "--resume").status == 0)
        #expect(try content("scores.\(format)") == rows)

        let other = rows.replacing("s,2", with: "s,3")
        try other.write(toFile: partial, atomically: true, encoding: .utf8)
        let refused = try Command.run("score", probes[0], data, "--out", out, "--resume")
        #expect(refused.status == 65 && refused.error.contains("found others"))
    }

    // Of forty rows only some are scored again; an id may begin like another.
    @Test(arguments: ["jsonl", "csv"])
    func idsOfRowsThatAreNotScoredAgain(format: String) throws {
        func file(_ ids: [String]) -> [UInt8] {
            let ends = ids.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.utf8.count) }
            return good.with("hidden_states", "F32", [40, 2], (0..<40).flatMap { _ in floatBytes(1, 2) })
                .with("offsets", "I64", [41], (0...40).flatMap { integerBytes($0) }).without("labels")
                .with("sequence_ids", "U8", [ends[40]], ids.flatMap { Array($0.utf8) })
                .with("sequence_ids_offsets", "I64", [41], ends.flatMap { integerBytes($0) }).file
        }
        var ids = (0..<40).map { "n\($0)" }
        let data = try folder.write(file(ids), to: "named.safetensors")
        let partial = folder("scores.\(format).partial")
        #expect(try Command.run("score", probes[0], data, "--out", folder("whole.\(format)")).status == 0)
        try content("whole.\(format)").dropLast(4).description
            .write(toFile: partial, atomically: true, encoding: .utf8)
        ids[1] = "n"
        let others = try folder.write(file(ids), to: "others.safetensors")
        let refused = try Command.run(
            "score", probes[0], others, "--out", folder("scores.\(format)"), "--resume")
        #expect(refused.status == 65 && refused.error.contains("found others"), "\(refused.error)")
    }

    @Test func probesBehindTheDataAreAMistake() throws {
        let result = try Command.run("score", probes[0], folder("shards"), probes[1])
        #expect(result.status == 64 && result.error.contains("before the data"))
    }

    // A link keeps pointing where it did; the partial file is beside what it points to.
    @Test func linksAreFollowed() throws {
        try repair()
        try FileManager.default.createDirectory(
            atPath: folder("elsewhere"), withIntermediateDirectories: false)
        _ = try folder.write([], to: "elsewhere/scores.jsonl")
        try FileManager.default.createSymbolicLink(
            atPath: folder("link.jsonl"), withDestinationPath: folder("elsewhere/scores.jsonl"))
        #expect(
            try Command.run("score", probes[0], folder("shards"), "--out", folder("link.jsonl")).status == 0)
        #expect(try content("elsewhere/scores.jsonl").split(separator: "\n").count == 6)
        #expect(OutputFile.partialPath(folder("link.jsonl")).hasSuffix("elsewhere/scores.jsonl.partial"))
    }
}
