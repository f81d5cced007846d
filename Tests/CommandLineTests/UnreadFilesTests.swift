import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Files that are read in part, or not, and the way on")
struct UnreadFilesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// An archive of one stored member.
    private func archive(_ name: String, _ bytes: [UInt8], checksum: Int) -> [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] { Array(integerBytes(value)[..<count]) }
        let entry =
            [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0] + number(checksum, 4) + number(bytes.count, 4)
            + number(bytes.count, 4) + number(name.utf8.count, 2) + [0, 0]
        let member = [0x50, 0x4B, 3, 4] + entry + Array(name.utf8) + bytes
        let table =
            [0x50, 0x4B, 1, 2, 20, 0] + entry + Array(repeating: 0, count: 14) + Array(name.utf8)
        return member + table + [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0] + number(table.count, 4)
            + number(member.count, 4) + [0, 0]
    }

    @Test func filesOfPyTorch() throws {
        let empty = try folder.write(archive("mine/data.pkl", [], checksum: 0), to: "new.pt")
        try expectFailure(65, "data.pkl, byte 0: expected 1 bytes", in: folder, ["inspect", empty])
        let old = try folder.write([0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20], to: "old.pt")
        try expectFailure(
            65,
            "an older file of torch.save; torch.save(torch.load(\"IN.pt\"), \"OUT.pt\") in Python makes one",
            in: folder, ["inspect", old])
        let other = try folder.write(archive("readme.txt", [], checksum: 0), to: "other.zip")
        try expectFailure(
            65, "an archive of arrays (.npy), found readme.txt", in: folder, ["inspect", other])
    }

    @Test func filesOfOtherFormats() throws {
        for (start, words) in [
            ([0x28, 0xB5, 0x2F, 0xFD], "expected a file that zstd has packed, found"),
            (Array("\u{89}HDF".unicodeScalars.map { UInt8($0.value) }), "an HDF5 file; python -m"),
            (Array("PAR1".utf8), "a Parquet file; python -m"),
            (Array("ARROW1".utf8), "an Arrow file; python -m"),
        ] as [([UInt8], String)] {
            let data = try folder.write(start + Array(repeating: 1, count: 8), to: "data")
            try expectFailure(65, words, in: folder, ["inspect", data])
        }
    }

    // A vector a sequence, and no word of where sequences end.
    @Test func pooledStates() throws {
        let states = floatBytes(1, 2, 3, 4, 5, 6)
        let format = #"{"format":"attention-probes/activations","version":"1"}"#
        let plain = LiteralActivations().described(by: format).with(
            "labels", "I64", [3], integerBytes(0, 1, 0))
        let flat = try folder.write(plain.without("offsets").file, to: "pooled.safetensors")
        let array = try folder.write(literalNumPy("'<f4'", "(3, 2)", states), to: "pooled.npy")
        let table = try folder.write(Array("id,label\n0,no\n1,yes\n2,no\n".utf8), to: "labels.csv")
        let train = ["train", "--kind", "mean", "--out", folder("probe")]
        try expectFailure(
            65, "expected a tensor offsets, or --pooled where each of the 3 rows is a sequence", in: folder,
            train + [flat])
        try expectFailure(
            65,
            "the data are one sequence of 3 tokens (--pooled where each row is a sequence, called by its number from "
                + "0 on)", in: folder, train + [array, "--labels", table])
        // Which is the way.
        let whole = plain.with("offsets", "I64", [4], integerBytes(0, 1, 2, 3))
        let good = try folder.write(whole.file, to: "good.safetensors")
        for arguments in [
            [good], [good, "--labels", table], [flat, "--pooled"], [array, "--pooled", "--labels", table],
        ] {
            let run = try Command.start(train + arguments).wait()
            #expect(run.status == 0 && run.error.contains("3 sequences, 3 tokens of 2"), "\(run)")
        }
    }

    // Where no kind is asked for it is a linear one, and a matrix with labels for its rows is no sequence.
    @Test func pooledStatesInAnArchive() throws {
        let train = ["train", RecordedFile.path("Xy.npz"), "--out", folder("probe")]
        let run = try Command.start(train).wait()
        #expect(
            run.status == 0
                && run.error.contains(
                    "each sequence is one vector: --kind mean, which is linear, unless another"),
            "\(run)")
        #expect(try Command.run("inspect", folder("probe")).output.contains("mean"))
        let other = try Command.start(train + ["--heads", "2"]).wait()
        #expect(other.status == 0 && !other.error.contains("--kind mean"), "\(other)")
        try expectFailure(
            65,
            "tensor labels: expected one row for the one sequence that hidden_states without offsets is (--pooled where "
                + "each row is a sequence), found shape [6]", in: folder, train + ["--sequence"])
        let both = try Command.start(train + ["--sequence", "--pooled"]).wait()
        #expect(both.status == 64 && both.error.contains("--sequence: expected it or --pooled, not both"))
    }

    @Test func halfPrecisionOfNumPy() throws {
        let states: [UInt8] = [0x80, 0x3F, 0, 0x40]
        for type in ["bfloat16", "<V2", "|V2"] {
            let file = try folder.write(literalNumPy("'\(type)'", "(1, 2)", states), to: "half.npy")
            let read = try Command.run("inspect", file)
            #expect(read.status == 0 && read.output.contains("1 token of 2 BF16"), "\(read)")
        }
        // ml_dtypes has several types of one byte.
        let bare = try folder.write(literalNumPy("'<V1'", "(1, 2)", [1, 2]), to: "bare.npy")
        try expectFailure(65, "found <V1", in: folder, ["inspect", bare])
    }

    private static func padded(_ mask: [Int], metadata: String? = nil) -> [UInt8] {
        literalSafetensors(
            [
                ("hidden_states", "F32", [3, 2, 2], floatBytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3)),
                ("attention_mask", "I64", [3, 2], mask.flatMap { integerBytes($0) }),
                ("labels", "I64", [3], integerBytes(0, 1, 1)),
            ], metadata: metadata)
    }

    // null says as much as no metadata.
    @Test func metadataThatAreNull() throws {
        let data = try folder.write(Self.padded([1, 1, 1, 0, 1, 1], metadata: "null"), to: "data")
        let run = try Command.run("inspect", data)
        #expect(run.status == 0 && run.output.contains("3 sequences, 5 tokens"), "\(run)")
        let inner = try folder.write(
            Self.padded([1, 1, 1, 0, 1, 1], metadata: #"{"note":null}"#), to: "inner")
        try expectFailure(65, "__metadata__.note", in: folder, ["inspect", inner])
    }

    @Test func sequencesWithoutAToken() throws {
        let train = ["train", "--kind", "mean", "--out", folder("probe")]
        let data = try folder.write(Self.padded([1, 1, 0, 0, 1, 0]), to: "data.safetensors")
        try expectFailure(
            65,
            "row 1: expected at least one true token (--skip-empty leaves out what has none), found none",
            in: folder, train + [data])
        let run = try Command.start(train + [data, "--skip-nonfinite"]).wait()
        #expect(
            run.status == 0 && run.error.contains("left out 1 sequence without a token: 1\n2 sequences"),
            "\(run)")
        // Ids count what was left out.
        let rows = try Command.run("score", folder("probe"), data, "--skip-nonfinite", "--quiet").output
        #expect(rows.contains(#"{"id":"0""#) && rows.contains(#"{"id":"2""#) && !rows.contains(#"{"id":"1""#))
        // Offsets and masks likewise.
        let states = LiteralActivations()
        for (file, name) in [
            (states.with("offsets", "I64", [3], integerBytes(0, 0, 3)), "0"),
            (states.with("token_mask", "U8", [3], [1, 0, 0]), "1"),
        ] {
            let path = try folder.write(file.file, to: "flat.safetensors")
            #expect(try Command.run("score", folder("probe"), path).status == 65)
            let score = try Command.run("score", folder("probe"), path, "--skip-nonfinite")
            #expect(score.status == 0 && score.error.contains("without a token: \(name)"), "\(score)")
        }
        let none = try folder.write(Self.padded([0, 0, 0, 0, 0, 0]), to: "none.safetensors")
        try expectFailure(
            65, "expected a sequence with a token to look at, found none", in: folder,
            ["score", folder("probe"), none, "--skip-nonfinite"])
    }

    // A dump without a token, or with states of fewer than it has ids, is one that was cut short.
    @Test(arguments: [(0, 0), (0, 3), (2, 3)])
    func requestsWithoutTokens(states: Int, ids: Int) throws {
        func request(_ tokens: Int, _ ids: Int) -> [UInt8] {
            literalSafetensors([
                ("hidden_states", "F32", [tokens, 1, 2], Array(repeating: 0, count: 8 * tokens)),
                ("token_ids", "I64", [ids], Array(repeating: 0, count: 8 * ids)),
            ])
        }
        let good = try folder.write(request(2, 2), to: "a.safetensors")
        let bad = try folder.write(request(states, ids), to: "b.safetensors")
        let run = try Command.run("convert", good, bad, "--out", folder("out.safetensors"))
        #expect(
            run.status == 0
                && run.error.contains("left out 1 file that is still being written or cut short: \(bad)")
                && run.error.contains("wrote 1 sequence"), "\(run)")
        try expectFailure(
            65, "b.safetensors: tensor ", in: folder, ["convert", bad, "--out", folder("no")])
        let more = try folder.write(request(3, 2), to: "c.safetensors")
        try expectFailure(
            65, "token_ids: expected shape [3], found shape [2]", in: folder, ["inspect", good, more])
    }

    @Test func offsetsOf32Bits() throws {
        let bytes = [0, 1, 3].flatMap { Array(integerBytes($0)[..<4]) }
        let data = try folder.write(LiteralActivations().with("offsets", "I32", [3], bytes).file, to: "data")
        let run = try Command.run("inspect", data)
        #expect(run.output.contains("2 sequences, 3 tokens"), "\(run)")
    }
}
