import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Sequences, requests and files that are left out instead of ending the work")
struct SkipTests {
    private let folder: TemporaryFolder
    private let probe: String

    init() throws {
        folder = try TemporaryFolder()
        let data = try folder.write(LiteralActivations().file, to: "training.safetensors")
        probe = folder("probe.safetensors")
        #expect(try Command.run("train", data, "--kind", "mean", "--out", probe).status == 0)
    }

    private func request(_ states: Int, _ ids: Int, to path: String) throws -> String {
        try folder.write(
            literalSafetensors([
                ("hidden_states", "F32", [states, 1, 2], Array(repeating: 0, count: 8 * states)),
                ("token_ids", "I64", [ids], Array(repeating: 0, count: 8 * ids)),
            ]), to: path)
    }

    private func leftOut(_ output: String, _ kind: String) throws -> (count: Int, names: [String]) {
        let json = try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
        let parts = try #require(json["left_out"] as? [String: Any])
        let part = try #require(parts[kind] as? [String: Any])
        return (try #require(part["count"] as? Int), try #require(part["names"] as? [String]))
    }

    // A request with fewer states than ids is what prefix caching leaves; one with more is no less wrong.
    @Test func requestsOfOtherLengthsThanTheirIds() throws {
        let good = try request(2, 2, to: "a.safetensors")
        let bad = [
            try request(0, 3, to: "b.safetensors"), try request(1, 3, to: "c.safetensors"),
            try request(3, 2, to: "d.safetensors"),
        ]
        #expect(try Command.start(["score", probe, good] + bad).wait().status == 65)
        let run = try Command.start(["score", probe, good] + bad + ["--skip-empty"]).wait()
        #expect(run.status == 0 && run.output.contains(#"{"id":"a""#), "\(run)")
        #expect(run.output.split(separator: "\n").count == 1)
        #expect(
            run.error.contains(
                "left out 3 requests without tokens, or with states of fewer or more tokens than ids: "
                    + bad.joined(separator: ", ")), "\(run)")
        let read = try Command.start(["inspect", good] + bad + ["--skip-empty", "--json"]).wait()
        #expect(try leftOut(read.output, "partial_requests") == (3, bad))
        try expectFailure(
            65,
            "expected at least one sequence, found 3 files that are without tokens, or with states of fewer",
            in: folder, ["score", probe] + bad + ["--skip-empty"])
    }

    // What a table says of requests that were left out is no id that matches nothing.
    @Test func labelsOfWhatWasLeftOut() throws {
        let data = try [request(2, 2, to: "a.safetensors"), request(1, 3, to: "b.safetensors")]
        let table = try folder.write(Array("id,label\na,no\nb,yes\nc,yes\n".utf8), to: "labels.csv")
        let run = try Command.start(
            ["convert"] + data + ["--labels", table, "--skip-empty", "--out", folder("out"), "--json"]
        ).wait()
        #expect(run.status == 0 && run.error.contains("1 id of \(table) matches no sequence: c\n"), "\(run)")
        #expect(try leftOut(run.output, "partial_requests") == (1, [data[1]]))
    }

    @Test func sequencesWithoutATokenAlone() throws {
        let bad = LiteralActivations()
            .with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, .nan, 5, 6))
        let empty = try folder.write(
            LiteralActivations().with("token_mask", "U8", [3], [0, 1, 1]).file, to: "empty.safetensors")
        let run = try Command.run("score", probe, empty, "--skip-empty")
        #expect(run.status == 0 && run.error.contains("left out 1 sequence without a token: 0"), "\(run)")
        #expect(run.output.contains(#"{"id":"1""#))
        let read = try Command.run("inspect", empty, "--skip-empty", "--json")
        #expect(try leftOut(read.output, "empty_sequences") == (1, ["0"]))
        // NaN is another matter.
        let nan = try folder.write(bad.file, to: "nan.safetensors")
        let other = try Command.run("score", probe, nan, "--skip-empty")
        #expect(
            other.status == 65
                && other.error.contains("sequence 1, token 0, dimension 1: expected a finite number"),
            "\(other)")
    }

    @Test func filesThatBreakARule() throws {
        let shards = folder("shards")
        try FileManager.default.createDirectory(atPath: shards, withIntermediateDirectories: false)
        let named = LiteralActivations()
            .with("sequence_ids", "U8", [2], Array("mn".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
        _ = try folder.write(Array(named.file.dropLast(3)), to: "shards/a.safetensors")
        _ = try folder.write(
            LiteralActivations().with("offsets", "I64", [3], integerBytes(1, 1, 3)).file,
            to: "shards/b.safetensors")
        _ = try folder.write(named.file, to: "shards/c.safetensors")
        _ = try folder.write([1, 2, 3], to: "shards/d.npy")
        try FileManager.default.createSymbolicLink(
            atPath: folder("shards/e.safetensors"), withDestinationPath: "/nowhere")
        #expect(try Command.run("score", probe, shards).status == 65)
        let run = try Command.run("score", probe, shards, "--skip-bad-shards")
        #expect(run.status == 0, "\(run)")
        #expect(run.output.contains(#"{"id":"m""#) && run.output.split(separator: "\n").count == 2)
        #expect(
            run.error.contains("left out 4 files that break a rule:\n  \(shards)/a.safetensors: ")
                && run.error.contains("\(shards)/b.safetensors: tensor offsets: expected 0 first, found 1\n")
                && run.error.contains("  … and 1 more\n"), "\(run)")
        let bad = ["a.safetensors", "b.safetensors", "d.npy", "e.safetensors"].map { "\(shards)/\($0)" }
        let commands = [
            ["inspect", shards], ["evaluate", probe, shards, "--bootstrap", "0"],
            ["train", shards, "--kind", "mean", "--out", folder("again.safetensors")],
            ["convert", shards, "--out", folder("out.safetensors")],
        ]
        for command in commands {
            let run = try Command.start(command + ["--skip-bad-shards", "--json"]).wait()
            #expect(run.status == 0 && run.error.contains("left out 4 files that break a rule"), "\(run)")
            #expect(try leftOut(run.output, "bad_shards") == (4, bad))
        }
        // Nothing left out is said too, where it was asked for.
        let whole = try Command.start(
            ["evaluate", probe, shards + "/c.safetensors", "--skip-bad-shards", "--json", "--bootstrap", "0"]
        ).wait()
        #expect(try leftOut(whole.output, "bad_shards") == (0, []))
    }

    @Test func nothingIsLeft() throws {
        let bad = try folder.write([1, 2, 3], to: "bad.npy")
        try expectFailure(
            65, "bad.npy: expected at least one sequence, found none in one file: \(bad): expected",
            in: folder,
            ["score", probe, bad, "--skip-bad-shards"])
        try expectFailure(
            65, "found none in one file: \(bad): expected", in: folder, ["inspect", bad, "--skip-bad-shards"])
        let empty = try folder.write(
            LiteralActivations().with("token_mask", "U8", [3], [0, 0, 0]).file, to: "empty.safetensors")
        try expectFailure(
            65, "found only sequences without a token to look at", in: folder,
            ["inspect", empty, "--skip-empty"])
        // A name that was mistyped is no bad shard.
        try expectFailure(
            66, "nothing.npy", in: folder,
            ["score", probe, folder("training.safetensors"), folder("nothing.npy"), "--skip-bad-shards"])
    }

    // Sequences without names are counted over all files, and nobody knows how many a broken one had.
    @Test func numbersBehindAFileThatWasLeftOut() throws {
        let bad = try folder.write([1, 2, 3], to: "bad.npy")
        let table = try folder.write(Array("id,label\n0,no\n1,yes\n2,no\n".utf8), to: "labels.csv")
        let data = [bad, folder("training.safetensors"), "--skip-bad-shards"]
        let expected =
            "training.safetensors: expected names of sequences (sequence_ids), since \(bad) was left out and its "
        for command in [
            ["evaluate", probe] + data + ["--labels", table],
            ["convert"] + data + ["--ids", table, "--out", folder("out")],
        ] {
            let run = try Command.start(command).wait()
            #expect(run.status == 65 && run.error.contains(expected), "\(run)")
        }
    }

    // A layer that nobody chose is no fault of the files.
    @Test func layersThatWereNotChosen() throws {
        let states = literalSafetensors([
            ("hidden_states", "F32", [1, 2, 2], Array(repeating: 0, count: 16)),
            ("token_ids", "I64", [1], integerBytes(7)),
        ])
        let data = try folder.write(states, to: "two.safetensors")
        try expectFailure(
            65, "expected one layer, or --layer 0 to 1 to choose one", in: folder,
            ["convert", data, "--skip-bad-shards", "--out", folder("out")])
    }
}
