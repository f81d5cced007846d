import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Forms of activations on the command line")
struct FormatsTests {
    private let folder: TemporaryFolder
    private let probe: String

    init() throws {
        folder = try TemporaryFolder()
        probe = folder("probe")
        let fitted = Probe(
            .attention(heads: 1), width: 2, task: .binary(classes: ["no", "yes"]),
            parameters: randomFloats(6, seed: 1))
        try fitted.write(to: probe)
    }

    private static func padded(_ mask: [UInt8], shape: [Int] = [2, 3]) -> [UInt8] {
        literalSafetensors([
            ("hidden_states", "F32", [2, 3, 2], floatBytes(1, 2, 9, 9, 9, 9, 9, 9, 3, 4, 5, 6)),
            ("attention_mask", "U8", shape, mask),
        ])
    }

    static func request(_ layers: Int = 1, tokens: Int = 2) -> [UInt8] {
        literalSafetensors([
            ("hidden_states", "F32", [2, layers, 2], (0..<4 * layers).flatMap { floatBytes(Float($0)) }),
            ("token_ids", "I64", [tokens], (0..<tokens).flatMap { integerBytes($0) }),
        ])
    }

    // Logits and the like, without ids.
    private func scores(_ arguments: String...) throws -> [Substring] {
        let result = try Command.start(["score", probe] + arguments).wait()
        #expect(result.status == 0, "\(result.error)")
        return result.output.split(separator: "\n").map { $0.drop { $0 != "," } }
    }

    @Test func allFormsScoreAlike() throws {
        let flat = try scores(folder.write(LiteralActivations().file, to: "flat"))
        #expect(try scores(folder.write(Self.padded([1, 0, 0, 0, 1, 1]), to: "padded")) == flat)
        #expect(try scores(folder.write(LiteralArchive.deflated, to: "deflated.npz")) == flat)
        for (name, values) in [("a", floatBytes(1, 2)), ("b", floatBytes(3, 4, 5, 6))] {
            _ = try folder.write(literalNumPy("'<f4'", "(\(values.count / 8), 2)", values), to: "\(name).npy")
        }
        #expect(try scores(folder("a.npy"), folder("b.npy")) == flat)
        let row = try object(
            String(Command.run("score", probe, folder("b.npy")).output.split(separator: "\n")[0]))
        #expect(row["id"] as? String == "b")
        #expect(
            try scores(folder.write(Self.request(3), to: "three"), "--layer", "0")
                != scores(folder("three"), "--layer", "2"))
        let described = try Command.run("inspect", folder("padded"), folder("three"), folder("a.npy"))
        for words in [
            "padded activations", "vLLM", "2 tokens of 2 F32", "layers  3\n", "one sequence in .npy",
        ] {
            #expect(described.output.contains(words), "\(described.output)")
        }
    }

    @Test(
        arguments: [
            ("no true token", "row 1: expected at least one true token", Self.padded([1, 0, 0, 0, 0, 0])),
            ("gap", "row 1, position 2", Self.padded([1, 0, 0, 1, 0, 1])),
            (
                "mask shape", "expected shape [2, 3], found shape [3, 2]",
                Self.padded([1, 0, 0, 0, 1, 1], shape: [3, 2])
            ),
            ("mask value", "row 0, position 1: expected 0 or 1, found 2", Self.padded([1, 2, 0, 0, 1, 1])),
            (
                "no mask", "attention_mask or seq_lens (padded), offsets (layers)",
                literalSafetensors([
                    ("hidden_states", "F32", [1, 1, 2], floatBytes(1, 2))
                ])
            ),
            ("layers", "--layer 0 to 2", Self.request(3)),
            ("token ids", "token_ids: expected shape [2]", Self.request(1, tokens: 3)),
            ("record", "found a record", literalNumPy("[('x', '<f4')]", "(2,)", floatBytes(1, 2))),
            ("objects", "pickled Python objects", literalNumPy("'|O'", "(1,)", [0x80, 4, 0x4E, 0x2E])),
            (
                "one dimension", "2 dimensions, found shape [2]",
                literalNumPy("'<f4'", "(2,)", floatBytes(1, 2))
            ),
            ("array cut short", "cut short", literalNumPy("'<f4'", "(2, 2)", floatBytes(1, 2))),
            (
                "array too long", "expected 8 bytes of F32 [1, 2], found 16",
                literalNumPy("'<f4'", "(1, 2)", floatBytes(1, 2, 3, 4))
            ),
            ("header", "a header with descr", literalNumPy("'<f4'", "(1, two)", floatBytes(1, 2))),
            (
                "shape too large", "expected the bytes of F32",
                literalNumPy("'<f4'", "(4611686018427387904, 1099511627776)", [])
            ),
            (
                "rows of no bytes", "row 0: expected at least one true token",
                literalSafetensors([
                    ("attention_mask", "I64", [1_099_511_627_776, 0], []),
                    ("hidden_states", "F32", [1_099_511_627_776, 0, 2], []),
                ])
            ),
            (
                "request of no tokens", "at least one token and one layer",
                literalSafetensors([
                    ("hidden_states", "F32", [0, 1_152_921_504_606_846_976, 2], []),
                    ("token_ids", "I64", [0], []),
                ])
            ),
            ("no rows", "at least one token", literalNumPy("'<f4'", "(0, 2)", [])),
            ("pickled archive", "array labels: expected numbers, found pickled", LiteralArchive.pickled),
            ("empty archive", "an archive of arrays (.npy), found an empty archive", LiteralArchive.empty),
            (
                "zip bomb", "at most 200 times the \(LiteralArchive.bomb.count) bytes of the archive",
                LiteralArchive.bomb
            ),
            ("damaged archive", "an archive that can be unpacked", LiteralArchive.damaged),
            (
                "archive cut short", "an archive that can be unpacked",
                Array(LiteralArchive.stored.dropLast(30))
            ),
        ] as [(String, String, [UInt8])])
    func badInput(name: String, words: String, bytes: [UInt8]) throws {
        let data = try folder.write(bytes, to: "bad")
        try expectFailure(65, words, in: folder, ["score", probe, data])
        try expectFailure(65, words, in: folder, ["convert", data, "--dtype", "f16", "--out", folder("out")])
    }

    @Test func dataToJudgeByAreOfTheSameLayer() throws {
        func write(_ layer: String, to name: String, order: String = "") throws -> String {
            let format =
                #""format":"attention-probes/activations","version":"1","classes":"[\"no\",\"yes\"]""#
            let file = LiteralActivations().with("labels", "I64", [2], integerBytes(0, 1))
                .described(by: "{\(format),\"layer\":\"\(layer)\"\(order)}")
            return try folder.write(file.file, to: name)
        }
        let (six, eight) = (try write("6", to: "six"), try write("8", to: "eight"))
        let stored = try write("8", to: "stored", order: #","layer_order":"stored""#)
        let train = ["train", six, "--out", folder("new"), "--epochs", "1", "--quiet", "--validation"]
        let words = "eight: expected layer 6 as in \(six), found layer 8"
        try expectFailure(65, words, in: folder, train + [eight])
        try expectFailure(65, words, in: folder, ["compare", six, "--test", eight])
        // Two ways of counting say nothing about each other.
        #expect(try Command.start(train + [stored]).wait().status == 0)
    }

    @Test func layersThatAreNotThere() throws {
        let data = try folder.write(Self.request(3), to: "three.safetensors")
        try expectFailure(
            65, "expected layer 3, found layers 0 to 2", in: folder, ["score", probe, data, "--layer", "3"])
        for (name, offsets) in [("4", [0, 1, 3]), ("8", [0, 2, 3])] {
            let file = LiteralActivations().with("offsets", "I64", [3], offsets.flatMap { integerBytes($0) })
                .described(by: #"{"format":"attention-probes/activations","version":"1","layer":"\#(name)"}"#)
            _ = try folder.write(file.file, to: "layer\(name)")
        }
        try expectFailure(
            65, "layer8: layer 8, sequence 0: expected length 1 as in \(folder("layer4")), found 2",
            in: folder,
            ["score", probe, folder("layer4"), folder("layer8"), "--layers", "4,8"])
        for arguments in [["--layer", "0", "--layers", "1"], ["--layers", "1,1"], ["--layers", "1,x"]] {
            let result = try Command.start(["score", probe, data] + arguments).wait()
            #expect(result.status == 64 && result.error.contains("--layers"))
        }
    }

    // What a server still writes is left out and counted; a file cut short elsewhere is an error.
    @Test func unfinishedRequests() throws {
        for name in ["a", "b", "c"] { _ = try folder.write(Self.request(), to: "\(name).safetensors") }
        let whole = try scores(folder("a.safetensors"))
        _ = try folder.write(Array(Self.request().dropLast(9)), to: "b.safetensors")
        let lock = try folder.write([], to: "c.safetensors.lock")
        let server = try #require(FileHandle(forReadingAtPath: lock))
        #expect(flock(server.fileDescriptor, LOCK_EX) == 0)
        let paths = ["a", "b", "c"].map { folder("\($0).safetensors") }
        let result = try Command.start(["score", probe] + paths).wait()
        #expect(result.status == 0 && result.output.split(separator: "\n").count == 1)
        #expect(
            result.error.contains("left out 2 files that are still being written")
                && result.error.contains("b.safetensors"))
        let report = try object(Command.start(["inspect"] + paths + ["--json"]).wait().output)
        #expect((report["files"] as? [Any])?.count == 1 && (report["unfinished"] as? [String])?.count == 2)
        let written = try Command.start(["convert"] + paths + ["--out", folder("flat"), "--json"]).wait()
        #expect((try object(written.output)["unfinished"] as? [String])?.count == 2)
        let one = try Command.start(["score", probe] + paths.prefix(2)).wait()
        #expect(
            one.error.contains("left out 1 file that is still being written or cut short: "), "\(one.error)")
        try expectFailure(65, "cut short", in: folder, ["score", probe, paths[1]])
        try expectFailure(65, "still being written", in: folder, ["score", probe, paths[2]])
        flock(server.fileDescriptor, LOCK_UN)
        #expect(try scores(paths[0], paths[2]) == whole + whole)
        // The lock may be on the file itself.
        let own = try #require(FileHandle(forReadingAtPath: paths[2]))
        #expect(flock(own.fileDescriptor, LOCK_EX) == 0)
        #expect(try scores(paths[0], paths[2]) == whole)
    }

    @Test func foldersCalledLikeData() throws {
        for name in ["a", "b", "c", "d", "e"] {
            try FileManager.default.createDirectory(
                atPath: folder("data/\(name).safetensors"), withIntermediateDirectories: true)
        }
        let data = try folder.write(LiteralActivations().file, to: "data/z.safetensors")
        let expected = try Command.run("score", probe, data)
        let found = try Command.run("score", probe, folder("data"))
        #expect(found.status == 0 && found.output == expected.output, "\(found.error)")
    }

    @Test func foldersOfFolders() throws {
        try FileManager.default.createDirectory(
            atPath: folder("out/layer-1"), withIntermediateDirectories: true)
        try expectFailure(
            66,
            "expected files named *.safetensors, *.pt, *.pth, *.npy or *.npz, not only folders such as layer-1, found none",
            in: folder, ["inspect", folder("out")])
    }

    @Test func labelsFromATable() throws {
        let data = try folder.write(LiteralActivations().without("labels").file, to: "data.safetensors")
        let table = try folder.write(Array("id,label\n0,yes\n1,no\n7,no\n".utf8), to: "labels.csv")
        let trained = try Command.run(
            "train", data, "--labels", table, "--kind", "mean", "--out", folder("new"))
        #expect(trained.status == 0 && trained.error.contains("binary: no, yes"), "\(trained.error)")
        #expect(trained.error.contains("1 id of \(table) matches no sequence: 7"))
        let same = try Command.run("evaluate", folder("new"), data, "--labels", table)
        #expect(same.status == 0 && same.error.contains("trained on a file called data.safetensors"))
        let jsonl = try folder.write(Array("{\"name\":1,\"topic\":\"yes\"}\n".utf8), to: "labels.jsonl")
        let part = try Command.run(
            "evaluate", folder("new"), data, "--labels", jsonl, "--id-column", "name", "--label-column",
            "topic")
        #expect(part.status == 0 && part.error.contains("left out 1 of 2 sequences"), "\(part)")
        let twins = LiteralActivations().without("labels").with("sequence_ids", "U8", [2], Array("aa".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
        let both = try Command.run(
            "evaluate", folder("new"), folder.write(twins.file, to: "twins.safetensors"), "--labels",
            folder.write(Array("id,label\na,yes\n".utf8), to: "a.csv"))
        #expect(!both.error.contains("trained on"))
        #expect(
            both.status == 0
                && both.error.contains("is that of several sequences, which got the same label: a"))
        for (text, words) in [
            ("name,label\n0,yes\n", "one column id (--id-column for another), found name, label"),
            ("id,id,label\n0,0,yes\n", "expected one column id (--id-column for another), found 2"),
            ("id,label\n0,yes\n0,no\n", "row 3: expected an id of its own"),
            ("id,label\n0,maybe\n1,no\n", "row 2: expected no or yes, found maybe"),
            ("id,label\n0,\"yes\n1,no\n", "quotation marks in pairs"),
            ("id,label\n8,yes\n", "expected labels for the sequences, as 0, 1, found none; it has 8"),
        ] {
            let bad = try folder.write(Array(text.utf8), to: "bad.csv")
            try expectFailure(65, words, in: folder, ["evaluate", folder("new"), data, "--labels", bad])
        }
        try expectFailure(
            66, "none.csv", in: folder, ["evaluate", folder("new"), data, "--labels", folder("none.csv")])
        #expect(try Command.run("score", probe, data, "--labels", table).status == 64)
        let list = try folder.write(Array("[{\"id\":0,\"label\":1}]".utf8), to: "list.json")
        try expectFailure(
            65, "an object a line, found a list", in: folder, ["evaluate", probe, data, "--labels", list])
        let lines = try folder.write(Array("{\"id\":0,\"label\":1}\n".utf8), to: "lines.jsonl")
        let other = ["train", data, "--out", folder("other"), "--group-column", "topic"]
        try expectFailure(65, "one column topic", in: folder, other + ["--labels", table])
        try expectFailure(65, "in topic (--group-column", in: folder, other + ["--labels", lines])
        let unused = try Command.start(other).wait()
        #expect(
            unused.status == 64 && unused.error.contains("--group-column: expected it only with --labels"))
    }

    @Test func manySmallFiles() throws {
        try FileManager.default.createDirectory(atPath: folder("many"), withIntermediateDirectories: false)
        for number in 0..<300 {
            let file = literalSafetensors([
                ("hidden_states", "F32", [1, 1, 2], floatBytes(Float(number), 1)),
                ("token_ids", "I64", [1], integerBytes(1)),
            ])
            _ = try folder.write(file, to: String(format: "many/%03d.safetensors", number))
        }
        // Also where few may be open at a time.
        let line = "ulimit -n 64; \(Command.tool.path) score \(probe) many"
        let result = try Command.run("/bin/sh", ["-c", line], in: folder.path)
        #expect(result.status == 0, "\(result.error)")
        #expect(try result.output == Command.run("score", probe, folder("many")).output)
        #expect(result.output.split(separator: "\n").count == 300)
        let described = try Command.run("inspect", folder("many")).output
        for words in [
            "300 files: vLLM hidden states of one request 300\n  300 sequences, 300 tokens of 2 F32",
            "002.safetensors: vLLM", "… and 297 more",
        ] {
            #expect(described.contains(words), "\(described)")
        }
        #expect(!described.contains("003.safetensors"))
        _ = try folder.write([1, 2, 3, 4, 5, 6, 7, 8, 9], to: "many/007.safetensors")
        _ = try folder.write(Self.padded([0, 0, 0, 0, 0, 0]), to: "many/003.safetensors")
        try expectFailure(65, "003.safetensors", in: folder, ["score", probe, folder("many")])
    }
}
