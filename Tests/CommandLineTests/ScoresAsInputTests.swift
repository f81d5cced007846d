import AttentionProbes
import Foundation
import TestSupport
import Testing

/// Scores of the examples in place of their hidden states: what is said of them is the same.
@Suite("Scores as input")
struct ScoresAsInputTests {
    private let folder: TemporaryFolder
    private let probe, labels: String
    private let data = Command.example("injection-test")

    init() throws {
        folder = try TemporaryFolder()
        (probe, labels) = (folder("probe.safetensors"), folder("labels.csv"))
        let trained = try Command.run(
            "train", Command.example("injection-train"), "--kind", "mean", "--out", probe, "--quiet")
        #expect(trained.status == 0, "\(trained.error)")
        // The labels stand in the file, and here in a table.
        let examples = try ActivationSet(paths: [data])
        guard case .classes(let classes)? = examples.targets, let names = examples.classes else { return }
        let rows = zip(examples.indices.map(examples.id), classes).map { "\($0),\(names[$1])" }
        try Data((["id,label"] + rows).joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: labels))
    }

    private func json(_ arguments: String...) throws -> [String: Any] {
        let result = try Command.start(["evaluate"] + arguments + ["--json", "--quiet"]).wait()
        #expect(result.status == 0, "\(arguments): \(result.error)")
        return try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any] ?? [:]
    }

    // Without what only hidden states tell.
    private func metrics(_ json: [String: Any]) -> NSDictionary {
        var json = json
        for key in ["tokens", "by_length"] { json[key] = nil }
        return json as NSDictionary
    }

    @Test(arguments: ["jsonl", "csv", "safetensors"])
    func everyMetricIsThatOfTheProbe(format: String) throws {
        let scores = folder("scores.\(format)")
        #expect(try Command.run("score", probe, data, "--format", format, "--out", scores).status == 0)
        let expected = metrics(try json(probe, data))
        let alone = try json(scores, "--labels", labels)
        #expect(alone["tokens"] == nil && alone["by_length"] == nil)
        #expect(metrics(alone) == expected)
        #expect(metrics(try json(probe, scores, "--labels", labels)) == expected)
    }

    /// With a threshold and probabilities of its own.
    @Test func aCalibratedProbe() throws {
        let (calibrated, scores) = (folder("calibrated.safetensors"), folder("scores.jsonl"))
        let made = try Command.run(
            "calibrate", probe, Command.example("injection-train"), "--out", calibrated, "--calibration",
            "isotonic",
            "--fpr", "0.1", "--quiet")
        #expect(made.status == 0, "\(made.error)")
        #expect(try Command.run("score", calibrated, data, "--out", scores).status == 0)
        let (expected, alone) = (try json(calibrated, data), try json(scores, "--labels", labels))
        for key in ["auroc", "accuracy", "f1", "expected_calibration_error", "brier_score", "loss"] {
            let (own, other) = (alone[key] as? Double, expected[key] as? Double)
            #expect(abs((own ?? .nan) - (other ?? .nan)) < 1e-6, "\(key)")
        }
        #expect(alone["confusion_matrix"] as? NSArray == expected["confusion_matrix"] as? NSArray)
    }

    @Test func ofSeveralProbesTheOneThatIsNamed() throws {
        let scores = folder("scores.jsonl")
        let other = folder("other.safetensors")
        try FileManager.default.copyItem(atPath: probe, toPath: other)
        for format in ["jsonl", "csv", "safetensors"] {
            #expect(
                try Command.run("score", probe, other, data, "--format", format, "--out", scores).status == 0)
            let refused = try Command.run("evaluate", scores, "--labels", labels)
            #expect(
                refused.status == 65 && refused.error.contains("found those of other, probe"), "\(refused)")
            #expect(try metrics(json(other, scores, "--labels", labels)) == metrics(json(probe, data)))
        }
    }

    @Test func aPageOfScores() throws {
        let (scores, page) = (folder("scores.jsonl"), folder("page.html"))
        #expect(try Command.run("score", probe, data, "--out", scores).status == 0)
        let made = try Command.run("report", scores, "--labels", labels, "--out", page)
        #expect(made.status == 0, "\(made.error)")
        let html = try String(contentsOfFile: page, encoding: .utf8)
        for title in ["ROC curve", "Precision and recall", "Reliability", "Predictions by pattern of ids"] {
            #expect(html.contains(title), "\(title)")
        }
        #expect(!html.contains("id=\"training\"") && !html.contains("tokens, median"))
    }

    // Logits that another tool has rounded: two classes begin with the same one, in whatever order they are looked up.
    @Test func classesThatShareALogit() throws {
        let (scores, table) = (folder("scores.jsonl"), folder("labels.csv"))
        let text = """
            {"id":"a","logits":[0.0],"probabilities":[0.497],"label":"no"}
            {"id":"b","logits":[0.0],"probabilities":[0.503],"label":"yes"}
            {"id":"c","logits":[1.2],"probabilities":[0.77],"label":"yes"}

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: scores))
        try Data("id,label\na,no\nb,yes\nc,yes\n".utf8).write(to: URL(fileURLWithPath: table))
        for _ in 0..<6 {
            let run = try Command.run("evaluate", scores, "--labels", table, "--bootstrap", "0")
            #expect(run.status == 0 && run.output.contains("no, yes (positive)"), "\(run)")
        }
    }

    @Test func whatIsMissingIsSaid() throws {
        let scores = folder("scores.jsonl")
        #expect(try Command.run("score", probe, data, "--out", scores).status == 0)
        func refusal(_ arguments: String...) throws -> (Int32, String) {
            let result = try Command.start(arguments).wait()
            return (result.status, result.error)
        }
        let (status, error) = try refusal("evaluate", scores)
        #expect(status == 64 && error.contains("--labels: expected a table beside scores"), "\(error)")
        let alone = try refusal("evaluate", probe)
        #expect(alone.0 == 64 && alone.1.contains("expected DATA behind the probe"), "\(alone.1)")
        let streaming = try refusal("evaluate", scores, "--labels", labels, "--streaming")
        #expect(
            streaming.0 == 64 && streaming.1.contains("expected hidden states, found scores"),
            "\(streaming.1)")
        // Of one class alone it is not known which of two it is.
        let first = try #require(
            try String(contentsOfFile: scores, encoding: .utf8).split(separator: "\n").first)
        try Data(first.utf8).write(to: URL(fileURLWithPath: scores))
        let single = try refusal("evaluate", scores, "--labels", labels)
        #expect(single.0 == 65 && single.1.contains("or the probe's file before the scores"), "\(single.1)")
        for text in [
            #"{"id":"a","logits":[1],"probabilities":[2],"label":"x"}"#, #"{"id":"a","logits":"1"}"#,
            "id,logit\r\na,b\r\n", #"{"id":"a","logits":[],"label":null}"#,
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: scores))
            let bad = try refusal("evaluate", scores, "--labels", labels)
            #expect(bad.0 == 65 && bad.1.contains("expected"), "\(text): \(bad.1)")
        }
    }
}
