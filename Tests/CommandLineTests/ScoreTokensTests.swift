import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("score --tokens")
struct ScoreTokensTests {
    // Three sequences of five, one and two tokens, texts for all, the first two tokens out of sight.
    private func data(_ folder: TemporaryFolder) throws -> ActivationSet {
        var file = LiteralActivations()
            .with(
                "hidden_states", "F32", [8, 2], floatBytes(9, 9, 9, 9, 1, 2, 3, -4, 5, 6, 0, 1, 2, 2, -1, 3)
            )
            .with("offsets", "I64", [4], integerBytes(0, 5, 6, 8))
            .with("token_mask", "U8", [8], [0, 0, 1, 1, 1, 1, 1, 1])
            .with("sequence_ids", "U8", [6], Array("ab\"c,d".utf8))
            .with("sequence_ids_offsets", "I64", [4], integerBytes(0, 1, 4, 6))
            .with("token_text", "U8", [9], Array("abc\"e,gh\n".utf8))
            .with("token_text_offsets", "I64", [9], integerBytes(0, 1, 2, 3, 4, 5, 6, 7, 9))
        file = file.without("labels")
        return try ActivationSet(paths: [folder.write(file.file, to: "data.safetensors")])
    }

    private struct Line: Decodable {
        struct Values: Decodable {
            let prefix_logits: [[Float?]]
            let attention: [[Float]]?
            let contributions: [[[Float]]]?
        }
        let id: String
        let prefix_logits: [[Float?]]?
        let attention: [[Float]]?
        let contributions: [[[Float]]]?
        let tokens: [String]?
        let probes: [String: Values]?
    }

    private func lines(_ text: String) throws -> [Line] {
        try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    // A probe of attention and one of means, for those.
    private func write(_ folder: TemporaryFolder) throws -> [Probe] {
        _ = try data(folder)
        let probes = [
            Probe(
                .attention(heads: 2), width: 2, task: .multiclass(classes: ["a", "b,c", "d"]),
                parameters: randomFloats(24, seed: 1)),
            Probe(.mean, width: 2, task: .binary(classes: ["n", "y"]), parameters: [1, 2, 3]),
        ]
        try probes[0].write(to: folder("p.safetensors"))
        try probes[1].write(to: folder("m.safetensors"))
        return probes
    }

    @Test func jsonLinesHaveAllOfASequence() throws {
        let folder = try TemporaryFolder()
        let data = try data(folder)
        let probes = try write(folder)
        let run = try Command.run("score", folder("p.safetensors"), folder("data.safetensors"), "--tokens")
        #expect(run.status == 0, "\(run)")
        let lines = try lines(run.output)
        #expect(lines.map(\.id) == ["a", "b\"c", ",d"])
        #expect(lines.map(\.tokens) == [["a", "b", "c", "\"", "e"], [","], ["g", "h\n"]])
        for (index, line) in lines.enumerated() {
            let expected = try probes[0].tokenScores(data, sequence: index)
            let length = data.length(index)
            #expect(line.prefix_logits?.count == length && line.attention?.map(\.count) == [length, length])
            for position in 0..<length {
                let logits = expected.prefixLogits[row: position].map { $0.isNaN ? nil : $0 }
                #expect(line.prefix_logits?[position] == logits)
                for h in 0..<2 {
                    #expect(line.attention?[h][position] == expected.attention?[position, h])
                    #expect(
                        line.contributions?[h][position]
                            == (0..<3).map { expected.contributions![position, h * 3 + $0] })
                }
            }
        }
        #expect(lines[0].prefix_logits?[0] == [nil, nil, nil] && lines[0].attention?[0][1] == 0)

        let both = try Command.run(
            "score", folder("p.safetensors"), folder("m.safetensors"), folder("data.safetensors"), "--tokens")
        let first = try #require(try self.lines(both.output).first)
        #expect(first.prefix_logits == nil && first.tokens?.count == 5)
        #expect(first.probes?["p"]?.prefix_logits == lines[0].prefix_logits)
        #expect(
            first.probes?["m"]?.prefix_logits == [[nil], [nil], [8], [3], [Float(17.0 / 3 + 3)]] as [[Float?]]
        )
        #expect(first.probes?["m"]?.attention == nil && first.probes?["p"]?.attention == lines[0].attention)
    }

    @Test func csvHasARowAToken() throws {
        let folder = try TemporaryFolder()
        _ = try write(folder)
        let run = try Command.run(
            "score", folder("m.safetensors"), folder("data.safetensors"), "--tokens", "--format", "csv")
        let rows = [
            "id,position,token,prefix_logit", "a,0,a,", "a,1,b,", "a,2,c,8.0", "a,3,\"\"\"\",3.0",
            "a,4,e,8.666667",
            "\"b\"\"c\",0,\",\",5.0", "\",d\",0,g,9.0", "\",d\",1,\"h\n\",8.5",
        ]
        #expect(run.output == rows.map { $0 + "\r\n" }.joined(), "\(run)")
        let both = try Command.run(
            "score", folder("p.safetensors"), folder("m.safetensors"), folder("data.safetensors"), "--tokens",
            "--out", folder("t.csv"), "--quiet")
        #expect(both.status == 0 && both.output.isEmpty)
        let text = try String(contentsOfFile: folder("t.csv"), encoding: .utf8)
        #expect(
            text.hasPrefix(
                "id,position,token,p.prefix_logit_a,\"p.prefix_logit_b,c\",p.prefix_logit_d,p.attention.0,p.attention.1,m.prefix_logit\r\na,0,a,,,,0.0,0.0,\r\n"
            ))
    }

    @Test(arguments: ["1", "3"]) func safetensorsHaveAllTokensSideBySide(threads: String) throws {
        let folder = try TemporaryFolder()
        let data = try data(folder)
        let probes = try write(folder)
        let run = try Command.run(
            "score", folder("p.safetensors"), folder("m.safetensors"), folder("data.safetensors"), "--tokens",
            "--out", folder("t.safetensors"), "--threads", threads)
        #expect(run.status == 0, "\(run)")
        let file = try TensorFile(path: folder("t.safetensors"))
        #expect(file.metadata["format"] == "attention-probes/token-scores" && file.metadata["version"] == "1")
        #expect(file.metadata["p.classes"] == #"["a","b,c","d"]"# && file.metadata["m.kind"] == "mean")
        func floats(_ name: String, _ shape: [Int]) throws -> [Float] {
            file.floats(try file.require(name, types: ["F32"], shape: shape))
        }
        let scores = try data.indices.map { index in
            try probes.map { try $0.tokenScores(data, sequence: index) }
        }
        func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
        #expect(
            try bits(floats("p.prefix_logits", [8, 3])) == bits(scores.flatMap { $0[0].prefixLogits.storage })
        )
        #expect(try floats("p.attention", [8, 2]) == scores.flatMap { $0[0].attention!.storage })
        #expect(try floats("p.contributions", [8, 2, 3]) == scores.flatMap { $0[0].contributions!.storage })
        #expect(
            try bits(floats("m.prefix_logits", [8, 1])) == bits(scores.flatMap { $0[1].prefixLogits.storage })
        )
        #expect(file.tensors["m.attention"] == nil)
        #expect(file.integers(try file.require("offsets", types: ["I64"], shape: [4])) == [0, 5, 6, 8])
        let text = try file.require("token_text", types: ["U8"], shape: [9])
        #expect(file.file.bytes(text.bytes) == Array("abc\"e,gh\n".utf8))
        #expect(try file.require("sequence_ids", types: ["U8"], shape: [6]).shape == [6])
    }

    // The last prefix is the sequence.
    @Test func endsAreTheScoresOfSequences() throws {
        let folder = try TemporaryFolder()
        let train = try Command.run(
            "train", Command.example("injection-train"), "--out", folder("p.safetensors"), "--epochs", "2",
            "--heads", "3", "--quiet")
        #expect(train.status == 0, "\(train)")
        let test = Command.example("injection-test")
        let tokens = try lines(Command.run("score", folder("p.safetensors"), test, "--tokens").output)
        struct Row: Decodable { let id: String, logits: [Float] }
        let rows = try Command.run("score", folder("p.safetensors"), test).output.split(separator: "\n").map {
            try JSONDecoder().decode(Row.self, from: Data($0.utf8))
        }
        #expect(tokens.map(\.id) == rows.map(\.id) && rows.count == 100)
        let ends = tokens.map { $0.prefix_logits!.last!.map { $0! } }
        #expect(relativeError(ends.joined(), rows.flatMap(\.logits)) < 1e-6)
        for line in tokens {
            for head in line.attention! { #expect(abs(head.reduce(0, +) - 1) < 1e-5) }
        }
    }

    @Test func wrongUseIsRefused() throws {
        let folder = try TemporaryFolder()
        _ = try write(folder)
        let resumed = try Command.run(
            "score", folder("p.safetensors"), folder("data.safetensors"), "--tokens", "--resume", "--out",
            folder("t.csv"))
        #expect(resumed.status == 64 && resumed.error.contains("--resume: not with --tokens"))
        let nameless = try Command.run(
            "score", folder("p.safetensors"), folder("data.safetensors"), "--tokens", "--format",
            "safetensors")
        #expect(nameless.status == 64 && nameless.error.contains("--format safetensors: expected --out FILE"))
        let itself = try Command.run(
            "score", folder("p.safetensors"), folder("data.safetensors"), "--tokens", "--out",
            folder("data.safetensors"))
        #expect(itself.status == 64 && itself.error.contains("is also an input"))
        // A NaN that is in sight leaves no file.
        var bad = LiteralActivations()
        bad = bad.with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, .nan, 5, 6))
        let path = try folder.write(bad.file, to: "bad.safetensors")
        for ending in ["jsonl", "csv", "safetensors"] {
            try expectFailure(
                65, "sequence 1, token 0, dimension 1", in: folder,
                [
                    "score", folder("p.safetensors"), path, "--tokens", "--quiet", "--out",
                    folder("t.\(ending)"),
                ])
        }
    }
}
