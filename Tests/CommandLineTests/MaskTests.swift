import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Probes that look at some of the tokens")
struct MaskTests {
    private let folder: TemporaryFolder
    private let data: String

    // Two sequences of one and two tokens, called m and n.
    init() throws {
        folder = try TemporaryFolder()
        let file = LiteralActivations()
            .with("hidden_states", "F32", [5, 2], floatBytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 1))
            .with("offsets", "I64", [3], integerBytes(0, 2, 5))
            .with("sequence_ids", "U8", [2], Array("mn".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
            .with("token_ids", "I64", [5], integerBytes(1, 2, 1, 3, 4))
        data = try folder.write(file.file, to: "data.safetensors")
    }

    private func maskedTokens(_ path: String, _ arguments: String...) throws -> Int? {
        let run = try Command.start(["inspect", path, "--json"] + arguments).wait()
        #expect(run.status == 0, "\(run)")
        struct Report: Decodable {
            struct File: Decodable {
                struct Activations: Decodable { let masked_tokens: Int? }
                let activations: Activations
            }
            let files: [File]
        }
        return try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).files[0].activations
            .masked_tokens
    }

    @Test func convertWritesTheMask() throws {
        #expect(try maskedTokens(data) == nil)
        #expect(try maskedTokens(data, "--mask", "last:1") == 3)
        let out = folder("masked.safetensors")
        #expect(try Command.run("convert", data, "--mask", "not first:1", "--out", out).status == 0)
        let file = try TensorFile(path: out)
        let mask = try file.require("token_mask", types: ["U8", "BOOL"], dimensions: 1)
        #expect(file.integers(mask) == [0, 1, 0, 1, 1])
        #expect(file.metadata["mask"] == "not first:1")
    }

    // A probe of masked data scores them as one of the masked file does, and says where other tokens are in sight.
    @Test func aProbeSaysWhichTokensItWasTrainedOn() throws {
        let masked = folder("masked.safetensors")
        _ = try Command.run("convert", data, "--mask", "not first:1", "--out", masked)
        let (a, b) = (folder("a.safetensors"), folder("b.safetensors"))
        #expect(
            try Command.run("train", data, "--kind", "mean", "--mask", "not (first:1)", "--out", a).status
                == 0)
        #expect(try Command.run("train", masked, "--kind", "mean", "--out", b).status == 0)
        for probe in [a, b] {
            #expect(try TensorFile(path: probe).metadata["mask"] == "not first:1")
            #expect(try Command.run("inspect", probe).output.contains("mask                  not first:1"))
        }
        let scores = try Command.run("score", a, data, "--mask", "not first:1")
        #expect(scores.status == 0 && scores.error.isEmpty, "\(scores)")
        #expect(try Command.run("score", b, masked).output == scores.output)
        let warning =
            "warning: the probe was trained on the tokens that --mask 'not first:1' leaves, and looks at "
        for command in [["score", a, data], ["evaluate", a, data, "--bootstrap", "0"]] {
            let other = try Command.start(command).wait()
            #expect(other.status == 0 && other.error.contains(warning + "all tokens here"), "\(other)")
        }
        let other = try Command.run("score", a, data, "--mask", "last:1")
        #expect(other.error.contains(warning + "the tokens that --mask 'last:1' leaves here"), "\(other)")
        let whole = folder("whole.safetensors")
        _ = try Command.run("train", data, "--kind", "mean", "--out", whole)
        let none = try Command.run("score", whole, data, "--mask", "last:1")
        #expect(none.error.contains("was trained on all tokens, and looks at the tokens that"), "\(none)")
    }

    @Test(arguments: ["csv", "jsonl"])
    func lengthsOfPrompts(form: String) throws {
        func table(_ lengths: [String?]) throws -> String {
            let rows = zip(["m", "n"], lengths).enumerated()
            let text =
                form == "csv"
                ? "id,label,prompt_length\n" + rows.map { "\($1.0),\($0),\($1.1 ?? "")\n" }.joined()
                : rows.map { #"{"id":"\#($1.0)","label":\#($0),"prompt_length":\#($1.1 ?? "null")}"# + "\n" }
                    .joined()
            return try folder.write(Array(text.utf8), to: "table.\(form)")
        }
        let path = try table(["1", "2.0"])
        let out = folder("out.safetensors")
        for option in ["--labels", "--prompt-lengths"] {
            let run = try Command.run("convert", data, option, path, "--mask", "reply", "--out", out)
            #expect(run.status == 0 && !run.error.contains("nothing asks for"), "\(run)")
            let file = try TensorFile(path: out)
            #expect(
                try file.integers(file.require("token_mask", types: ["U8"], dimensions: 1)) == [
                    0, 1, 0, 0, 1,
                ])
        }
        let unasked = try Command.run("convert", data, "--labels", path, "--out", out)
        #expect(
            unasked.error.contains(
                "\(path) has a column prompt_length, which nothing asks for: --mask reply leaves the prompts out of sight"
            ), "\(unasked)")
        func expectRefusal(_ words: String, _ arguments: [String]) throws {
            let other = try Command.start(
                ["train", data, "--mask", "reply", "--out", folder("probe")] + arguments
            ).wait()
            #expect([64, 65].contains(other.status) && other.error.contains(words), "\(other)")
        }
        try expectRefusal("expected a table with a column prompt_length", [])
        try expectRefusal(
            "row 2: expected a whole number from 0 in prompt_length, found -1".replacing(
                "row 2", with: form == "csv" ? "row 2" : "row 1"),
            ["--labels", table(["-1", "1"])])
        try expectRefusal("expected a prompt_length of n, found none", ["--labels", table(["1", nil])])
        try expectRefusal(
            "sequence 0 (m): expected a token that --mask reply lets the probe look at",
            ["--labels", table(["2", "1"])])
        try expectRefusal(
            "sequence 0 (m): expected a prompt_length of at most its 2 tokens, found 1000",
            ["--labels", table(["1000", "1"])])
        let bare = try folder.write(Array("id,label\nm,0\nn,1\n".utf8), to: "bare.csv")
        try expectRefusal("expected a column prompt_length, which --mask reply goes by", ["--labels", bare])
        let one = try folder.write(Array("id,prompt_length\nm,1\n".utf8), to: "one.csv")
        try expectRefusal("expected a prompt_length of n, found none", ["--prompt-lengths", one])
    }

    // A sequence without a label is left out, and needs no length.
    @Test func lengthsOfSequencesWithoutALabel() throws {
        let table = try folder.write(Array("id,label,prompt_length\nn,1,1\n".utf8), to: "table.csv")
        let out = folder("out.safetensors")
        let run = try Command.run("convert", data, "--labels", table, "--mask", "reply", "--out", out)
        #expect(run.status == 0 && run.error.contains("wrote 1 sequence, 3 tokens"), "\(run)")
    }

    @Test func whereThereAreNoTokens() throws {
        let probe = folder("probe.safetensors")
        #expect(try Command.run("train", data, "--kind", "mean", "--out", probe).status == 0)
        let table = try folder.write(Array("id,label\nm,no\nn,yes\n".utf8), to: "labels.csv")
        #expect(try Command.run("score", probe, data, "--out", folder("scores.jsonl")).status == 0)
        let scores = try Command.run(
            "evaluate", folder("scores.jsonl"), "--labels", table, "--mask", "last:1")
        #expect(scores.status == 64 && scores.error.contains("--mask: expected hidden states, found scores"))
        let inspected = try Command.run("inspect", probe, "--mask", "last:1")
        #expect(
            inspected.status == 64 && inspected.error.contains("--mask: expected activations, found a probe"))
        let machine = try Command.run("inspect", "--machine", "--mask", "last:1")
        #expect(machine.status == 64 && machine.error.contains("--mask: expected it with activations"))
    }

    @Test func inspectCountsBehindPrompts() throws {
        let table = try folder.write(Array("id,prompt_length\nm,1\nn,2\n".utf8), to: "table.csv")
        #expect(try maskedTokens(data, "--mask", "reply", "--prompt-lengths", table) == 3)
        // Of two options of a name the last counts.
        #expect(try maskedTokens(data, "--mask", "first:1", "--mask", "last:2") == 1)
        // Numbers of sequences without names go on from file to file.
        let bare = try folder.write(
            LiteralActivations().with(
                "hidden_states", "F32", [5, 2], floatBytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 1)
            )
            .with("offsets", "I64", [3], integerBytes(0, 2, 5)).file, to: "bare.safetensors")
        let numbers = try folder.write(Array("id,prompt_length\n0,1\n1,2\n".utf8), to: "numbers.csv")
        #expect(try maskedTokens(bare, "--mask", "reply", "--prompt-lengths", numbers) == 3)
        try expectFailure(
            65, "bare.safetensors: expected names of sequences (sequence_ids), or no other file beside it",
            in: folder, ["inspect", bare, data, "--mask", "reply", "--prompt-lengths", numbers])
    }

    @Test func whatNothingAsksForIsSaidOnce() throws {
        let table = try folder.write(
            Array("id,label,prompt_length\nm,0,1\nn,1,1\n".utf8), to: "table.csv")
        let run = try Command.run(
            "compare", data, "--test", data, "--labels", table, "--kind", "mean,last", "--bootstrap", "9",
            "--report", folder("page.html"))
        #expect(run.error.split(separator: "nothing asks for").count == 2, "\(run)")
    }

    @Test func expressionsThatAreRefused() throws {
        let run = try Command.run("inspect", data, "--mask", "last:x")
        #expect(
            run.status == 64 && run.error.contains("--mask: expected a number of tokens from 1, found last:x")
        )
        let reply = try Command.run("inspect", data, "--mask", "reply")
        #expect(
            reply.status == 64
                && reply.error.contains("expected a table that reply goes by (--prompt-lengths), found none"))
        let lengths = try Command.run("convert", data, "--prompt-lengths", data, "--out", folder("out"))
        #expect(
            lengths.status == 64 && lengths.error.contains("--prompt-lengths: expected it only with reply"))
        try expectFailure(
            65, "sequence 0 (m): expected a token that --mask after:3 lets the probe look at", in: folder,
            ["inspect", data, "--mask", "after:3"])
        let table = try folder.write(Array("id,prompt_length\nm,1\nn,1\n".utf8), to: "a.safetensors")
        let over = try Command.run(
            "convert", data, "--mask", "reply", "--prompt-lengths", table, "--out", table)
        #expect(over.status == 64 && over.error.contains("is also an input"), "\(over)")
        let left = try Command.run(
            "convert", data, "--mask", "after:3", "--skip-empty", "--out", folder("out"))
        #expect(left.status == 0 && left.error.contains("left out 1 sequence without a token: m"), "\(left)")
    }
}
