import Foundation
import TestSupport
import Testing

@Suite("Bad input: one sentence, the right exit code, no output touched")
struct BadInputTests {
    private let folder: TemporaryFolder
    private let probe: String
    private let whole = LiteralActivations()

    init() throws {
        folder = try TemporaryFolder()
        probe = folder("probe")
        let data = try folder.write(whole.file, to: "whole")
        #expect(try Command.run("train", data, "--kind", "mean", "--out", probe, "--quiet").status == 0)
    }

    @Test(arguments: [
        ("cut short", 65, "cut short", Array(LiteralActivations().file.dropLast(4))),
        ("empty", 65, "empty", []),
        ("text", 65, "another format", Array("id,label\na,1\nb,0\n".utf8)),
        ("long header", 65, "cut short", Array(LiteralActivations().file[..<40])),
        (
            "overlap", 65, "shared",
            literalSafetensors(
                #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                [1, 2, 3])
        ),
        (
            "out of range", 65, "cut short",
            literalSafetensors(#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, [1, 2, 3])
        ),
        (
            "dtype", 65, "F32, F16, BF16, F8_E4M3, F8_E5M2 or F64, found I64",
            LiteralActivations().with("hidden_states", "I64", [1, 3], integerBytes(1, 2, 3)).file
        ),
        (
            "width", 65, "found 3",
            LiteralActivations().with("hidden_states", "F32", [3, 3], floatBytes(1, 2, 3, 4, 5, 6, 7, 8, 9))
                .file
        ),
        (
            "falling", 65, "element 2",
            LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 3, 1)).file
        ),
        ("end", 65, "3 last", LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 1, 2)).file),
        (
            "empty sequence", 65, "sequence 1",
            LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 3, 3)).file
        ),
        (
            "labels", 65, "from 0 to 1",
            LiteralActivations().with("labels", "I64", [2], integerBytes(0, 7)).file
        ),
        (
            "small weight", 65, "float32 holds, from 1e-38 to 3e38 (only proportions count), found 1e-60",
            LiteralActivations().with("weights", "F64", [2], doubleBytes(1, 1e-60)).file
        ),
        (
            "large weight", 65, "element 0: expected a positive number that float32 holds",
            LiteralActivations().with("weights", "F64", [2], doubleBytes(1e60, 1)).file
        ),
        (
            "nan", 65, "sequence 1, token 1, dimension 0",
            LiteralActivations().with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, .nan, 6)).file
        ),
        (
            "infinity", 65, "sequence 0, token 0, dimension 1",
            LiteralActivations().with("hidden_states", "F32", [3, 2], floatBytes(1, -.infinity, 3, 4, 5, 6))
                .file
        ),
    ])
    func activations(name: String, status: Int32, words: String, bytes: [UInt8]) throws {
        let data = try folder.write(bytes, to: "bad")
        // A format that keeps nothing of what was scored before; `ResumeTests` has the others.
        let scores = folder("scores.safetensors")
        if name != "labels" || bytes.isEmpty {
            try expectFailure(status, words, in: folder, ["score", probe, data, "--out", scores, "--quiet"])
        }
        try expectFailure(status, words, in: folder, ["evaluate", probe, data])
        // Another width than the probe's is no fault of training data.
        if name != "width" {
            try expectFailure(status, words, in: folder, ["train", data, "--out", folder("new"), "--quiet"])
        }
    }

    @Test func skippingNonFinite() throws {
        let bad = whole.with("hidden_states", "F32", [3, 2], floatBytes(1, .nan, 3, 4, 5, 6))
        let data = try folder.write(bad.file, to: "bad")
        let result = try Command.run("score", probe, data, "--skip-nonfinite")
        #expect(result.status == 0 && result.output.split(separator: "\n").count == 1)
        #expect(result.error.contains("left out 1 of 2 sequences"))
    }

    @Test func littleMemory() throws {
        let data = try folder.write(LiteralActivations().file, to: "data.safetensors")
        let train = ["train", data, "--out", folder("new")]
        let run = try Command.start(train + ["--max-memory", "1KB"]).wait()
        #expect(run.status == 64 && run.error.contains("left of --max-memory, found at least"), "\(run)")
        let wrong = try Command.start(train + ["--max-memory", "much"]).wait()
        #expect(
            wrong.status == 64
                && wrong.error.contains("--max-memory: expected a size such as 8GB or 500MiB, found much"))
        #expect(!FileManager.default.fileExists(atPath: folder("new")))
    }

    @Test func oneClass() throws {
        let data = try folder.write(whole.with("labels", "I64", [2], integerBytes(1, 1)).file, to: "one")
        try expectFailure(65, "only class yes", in: folder, ["train", data, "--out", folder("new")])
    }

    @Test func scoringNeedsNoLabels() throws {
        let data = try folder.write(whole.without("labels").file, to: "unlabelled")
        let result = try Command.run("score", probe, folder("whole"), data, "--seed", "1")
        #expect(result.status == 0 && result.output.split(separator: "\n").count == 4)
        try expectFailure(65, "a tensor labels", in: folder, ["evaluate", probe, data])
    }

    @Test func standardOutputThatIsFull() throws {
        for command in ["evaluate", "score"] {
            let line = "\(Command.tool.path) \(command) \(probe) \(folder("whole")) > /dev/full"
            let result = try Command.run("/bin/sh", ["-c", line], in: folder.path)
            #expect(result.status == 74 && result.error.contains("standard output"), "\(result)")
        }
    }

    @Test func missingInputs() throws {
        try expectFailure(66, "No such file", in: folder, ["train", folder("none"), "--out", folder("new")])
        try expectFailure(66, "No such file", in: folder, ["score", folder("none"), folder("whole")])
        try FileManager.default.createDirectory(atPath: folder("empty"), withIntermediateDirectories: false)
        try expectFailure(66, "*.safetensors", in: folder, ["evaluate", probe, folder("empty")])
    }

    @Test func outputsThatCannotBeWritten() throws {
        let nowhere = folder("no/such/folder/out")
        try expectFailure(
            74, "No such file or directory", in: folder, ["train", folder("whole"), "--out", nowhere])
        try expectFailure(
            74, "No such file or directory", in: folder, ["score", probe, folder("whole"), "--out", nowhere])
        let full = ["--out", "/dev/full", "--quiet"]
        try expectFailure(
            74, "No space left", in: folder, ["train", folder("whole"), "--kind", "mean"] + full)
        try expectFailure(74, "No space left", in: folder, ["score", probe, folder("whole")] + full)
    }

    @Test func anExistingOutputSurvivesBadInput() throws {
        let before = try Data(contentsOf: URL(fileURLWithPath: probe))
        let data = try folder.write([1, 2, 3], to: "bad")
        try expectFailure(65, "at least 8 bytes", in: folder, ["train", data, "--out", probe])
        #expect(try Data(contentsOf: URL(fileURLWithPath: probe)) == before)
    }

    @Test func anInputIsNeverTheOutput() throws {
        let data = try folder.write(whole.file, to: "data.safetensors")
        for (output, arguments) in [
            (data, ["train", data, "--out", folder("./data.safetensors")]),
            (probe, ["score", probe, data, "--out", probe]),
            (data, ["score", probe, folder.path, "--out", data]),
        ] {
            let before = try Data(contentsOf: URL(fileURLWithPath: output))
            let result = try Command.start(arguments).wait()
            #expect(result.status == 64 && result.error.contains("is also an input"), "\(result)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == before)
        }
        let dash = try Command.start(["score", probe, data, "--out", "-"]).wait()
        #expect(dash.status == 64 && dash.error.contains("found -; ./- is a file of that name"), "\(dash)")
    }

    @Test func probeWithoutATensor() throws {
        let metadata = """
            {"format":"attention-probes/probe","version":"1","kind":"attention","attention":"softmax","heads":"1",\
            "outputs":"1","hidden":"0","task":"binary","classes":"[\\"no\\",\\"yes\\"]","threshold":"0.5"}
            """
        let header =
            "{\"__metadata__\":\(metadata),\"v.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}"
        let bad = try folder.write(literalSafetensors(header, floatBytes(1, 2)), to: "partial")
        try expectFailure(65, "a tensor q.weight", in: folder, ["score", bad, folder("whole")])
        try expectFailure(65, "a tensor q.weight", in: folder, ["inspect", bad])
    }

    @Test func activationsInPlaceOfAProbe() throws {
        try expectFailure(
            65, "attention-probes/probe", in: folder, ["score", folder("whole"), folder("whole")])
    }

    @Test(arguments: [
        ["train", "x"], ["train", "x", "--out", "y", "--heads", "0"],
        ["train", "x", "--out", "y", "--epochs", "-1"],
        ["train", "x", "--out", "y", "--kind", "median"],
        ["train", "x", "--out", "y", "--kind", "mean", "--average", "2"],
        ["train", "x", "--out", "y", "--hidden", "4", "--average", "2"],
        ["train", "x", "--out", "y", "--kind", "multimax", "--units", "4", "--average", "2"],
        ["train", "x", "--out", "y", "--kind", "max", "--heads", "2"],
        ["train", "x", "--out", "y", "--kind", "rolling", "--window", "0"],
        ["train", "x", "--out", "y", "--kind", "mean", "--window", "3"],
        ["train", "x", "--out", "y", "--kind", "ema", "--decay", "0"],
        ["train", "x", "--out", "y", "--kind", "lda", "--optimizer", "lbfgs"],
        ["train", "x", "--out", "y", "--kind", "mean", "--heads", "2"],
        ["train", "x", "--out", "y", "--optimizer", "lbfgs", "--batch-size", "8"],
        ["train", "x", "--out", "y", "--learning-rate", "nan"], ["score", "p"],
        ["score", "p", "d", "--format", "xml"],
        ["score", "p", "d", "--out", "s.parquet"], ["train", "x", "--out", "y", "--patience", "3"],
        ["score", "p", "d", "--format", "safetensors"], ["evaluate", "p", "d", "--threads", "0"], ["fit"],
        ["score", "p", "d", "--resume"], ["score", "p", "d", "--resume", "--out", "s.safetensors"],
    ])
    func usage(arguments: [String]) throws {
        let result = try Command.start(arguments).wait()
        #expect(result.status == 64 && result.error.contains("Usage:"), "\(result)")
    }
}
