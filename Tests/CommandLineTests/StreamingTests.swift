import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("evaluate --streaming, calibrate and thresholds for prefixes")
struct StreamingTests {
    private let train = Command.example("injection-train")
    private let test = Command.example("injection-test")
    private let folder: TemporaryFolder
    private let probe: String

    init() throws {
        folder = try TemporaryFolder()
        probe = folder("probe.safetensors")
        let run = try Command.run(
            "train", train, "--kind", "softmax", "--epochs", "3", "--out", probe, "--quiet")
        try #require(run.status == 0, "\(run)")
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func evaluation() throws {
        let json = try Command.run("evaluate", probe, test, "--streaming", "--json", "--bootstrap", "0")
        let streaming = try #require(try object(json.output)["streaming"] as? [String: Any])
        let rule = try #require(streaming["streaming"] as? [String: Any])
        let recall = try #require((rule["recall"] as? [String: Any])?["value"] as? Double)
        let streamed = try Probe(path: probe).streamed(ActivationSet(paths: [test]))
        #expect(try recall == #require(streamed.metrics()?.streaming.recall?.value))
        let table = try Command.run("evaluate", probe, test, "--streaming", "--bootstrap", "0")
        #expect(table.output.contains("after every token") && table.output.contains("first flag, token"))
        #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(
            table.output.contains(
                "recall at 1 % FPR     0 of 50 negatives: a rate of 1 % cannot be seen here\n"),
            "\(table)")
        #expect(try !Command.run("evaluate", probe, test, "--bootstrap", "0").output.contains("every token"))
    }

    /// In JSON a document has all its tokens, with what each head has.
    @Test func allTokensOfDocuments() throws {
        let attention = folder("attention.safetensors")
        let trained = try Command.run(
            "train", train, "--heads", "2", "--epochs", "1", "--out", attention, "--quiet")
        try #require(trained.status == 0, "\(trained)")
        for (path, heads) in [(attention, 2), (probe, 0)] {
            let json = try Command.run(
                "evaluate", path, test, "--documents", "1", "--json", "--bootstrap", "0")
            let document = try #require((object(json.output)["documents"] as? [[String: Any]])?.first)
            let all = try #require(document["all"] as? [String: Any])
            let data = try ActivationSet(paths: [test])
            let index = try #require(data.indices.first { data.id($0) == document["id"] as? String })
            let scores = try Probe(path: path).tokenScores(data, sequence: index)
            #expect(
                (all["text"] as? [String])
                    == (0..<data.length(index)).map { data.tokenText(index, position: $0) })
            let prefixes = try #require(all["prefix_logits"] as? [[Double]])
            #expect(prefixes.map { Float($0[0]) } == scores.prefixLogits.storage)
            let rows = all["attention"] as? [[Double]]
            #expect(rows?.count == (heads == 0 ? nil : heads))
            for (h, row) in (rows ?? []).enumerated() {
                #expect(row.enumerated().allSatisfy { Float($1) == scores.attention![$0, h] })
            }
            let parts = all["contributions"] as? [[[Double]]]
            #expect(
                parts?.map { $0.map { Float($0[0]) } }
                    == scores.contributions.map { c in
                        (0..<c.columns).map { h in (0..<c.rows).map { c[$0, h] } }
                    })
        }
    }

    /// A threshold says what it is for, and is not used for the other without a word.
    @Test func thresholdsOfEitherKind() throws {
        let kinds = [
            ("finished.safetensors", [], "at or above it"),
            ("streaming.safetensors", ["--streaming"], "reached it at some token"),
        ]
        for (name, options, words) in kinds {
            let arguments = ["calibrate", probe, test, "--out", folder(name), "--fpr", "0.1", "--json"]
            let run = try Command.start(arguments + options).wait()
            #expect(run.status == 0 && run.error.contains(words), "\(run)")
            let rule = try #require(try object(run.output)["threshold_rule"] as? [String: Any])
            #expect(rule["streaming"] as? Bool == (options.isEmpty ? nil : true))
            let written = try Probe(path: folder(name))
            #expect(written.training["calibration_data"] == "injection-test.safetensors")
            #expect(written.parameters == (try Probe(path: probe)).parameters)
        }
        let note = "is for sequences that are looked at after every token"
        for command in ["evaluate", "score"] {
            let run = try Command.run(command, folder("streaming.safetensors"), test)
            #expect(run.status == 0 && run.error.contains(note), "\(run.error)")
            #expect(try !Command.run(command, folder("finished.safetensors"), test).error.contains(note))
        }
        let report = try Command.run(
            "report", folder("streaming.safetensors"), test, "--out", folder("r.html"), "--bootstrap", "0")
        #expect(report.error.contains(note))
        #expect(
            try Command.run("evaluate", folder("finished.safetensors"), test, "--streaming").error
                .contains("is for finished sequences"))
    }

    @Test func aSelectionForPrefixes() throws {
        let run = try Command.run(
            "train", train, "--select", "--kind", "mean", "--l2", "0.1", "--folds", "3", "--fpr", "0.1",
            "--streaming", "--out", folder("selected.safetensors"))
        #expect(run.status == 0 && run.error.contains("reached it at some token"), "\(run)")
        #expect(try Probe(path: folder("selected.safetensors")).thresholdRule?.isStreaming == true)
    }

    /// Trained on the same file: that is said, as names tell.
    @Test func theDataOfTheTraining() throws {
        let run = try Command.run("calibrate", probe, train, "--out", folder("c.safetensors"))
        #expect(run.status == 0 && run.error.contains("warning: the probe was trained on a file called"))
        let calibrated = try Probe(path: folder("c.safetensors"))
        #expect(
            calibrated.threshold == 0.5 && calibrated.calibration != nil && calibrated.thresholdRule == nil)
    }

    // A threshold for a rate needs negatives alone; probabilities need both classes.
    @Test func labelsOfOneClass() throws {
        let (set, table) = (try ActivationSet(paths: [test]), folder("alike.csv"))
        let rows = set.indices.map { "\(set.id($0)),\(set.classes![0])\n" }
        try Data(("id,label\n" + rows.joined()).utf8).write(to: URL(fileURLWithPath: table))
        let arguments = ["calibrate", probe, test, "--labels", table, "--out", folder("c.safetensors")]
        let refused = try Command.start(arguments).wait()
        #expect(refused.status == 65 && refused.error.contains("at least two classes, found only class"))
        #expect(try !folder.names.contains("c.safetensors"))
        let run = try Command.start(arguments + ["--fpr", "0.1"]).wait()
        #expect(run.status == 0 && run.error.contains("the labels are of one class"), "\(run)")
        let calibrated = try Probe(path: folder("c.safetensors"))
        #expect(calibrated.thresholdRule != nil && calibrated.calibration == nil)
    }

    @Test func refusals() throws {
        let out = folder("out.safetensors")
        for (arguments, status, words) in [
            (["calibrate", probe, test, "--out", probe], 64, "is also an input"),
            (
                ["calibrate", probe, test, "--out", out, "--streaming"], 64,
                "--streaming: expected it only with --fpr"
            ),
            (
                ["calibrate", probe, test, "--out", out, "--fpr", "1.5"], 64,
                "--fpr: expected a number between 0 and 1"
            ),
            (
                ["calibrate", probe, test, "--out", out, "--fpr", "0.001"], 65,
                "expected at least 2995 negative sequences"
            ),
            (["calibrate", probe, folder("none"), "--out", out], 66, "none"),
            (["train", train, "--out", out, "--streaming"], 64, "--streaming: expected it only with --fpr"),
        ] as [([String], Int32, String)] {
            let run = try Command.start(arguments).wait()
            #expect(run.status == status && run.error.contains(words), "\(arguments): \(run)")
            #expect(!FileManager.default.fileExists(atPath: out))
        }
        let multiclass = Probe(
            .mean, width: 384, task: .multiclass(classes: ["a", "b", "c"]),
            parameters: Array(repeating: 0, count: 3 * 385))
        try multiclass.write(to: folder("m.safetensors"))
        let run = try Command.run("calibrate", folder("m.safetensors"), test, "--out", out)
        #expect(run.status == 65 && run.error.contains("expected binary"), "\(run)")
    }
}
