import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Soft labels on the command line")
struct SoftLabelTests {
    private let folder: TemporaryFolder
    private let data: String
    private let labels: String
    private let note =
        "labels are probabilities: losses take them as they are, and what needs classes cuts them at 0.5"

    init() throws {
        folder = try TemporaryFolder()
        data = folder("data.safetensors")
        let batch = try needleSet(count: 30, width: 4, needles: 3).files[0].batch
        try ActivationSet([ActivationFile(batch)]).write(to: data)
        let rows = (0..<30).map { "\($0),\($0 % 2 == 0 ? 0.1 : 0.8)\n" }
        labels = try folder.write(Array(("id,label\n" + rows.joined()).utf8), to: "soft.csv")
    }

    @Test func trainEvaluateAndReport() throws {
        let run = try Command.run(
            "train", data, "--labels", labels, "--task", "binary", "--kind", "mean", "--out", folder("probe"))
        #expect(run.status == 0 && run.error.contains(note), "\(run)")
        #expect(run.error.contains("binary: 0, 1 (positive)"))
        #expect(run.error.contains("its threshold is 0.5") && run.error.contains("--select"))
        let judged = try Command.run(
            "evaluate", folder("probe"), data, "--labels", labels, "--bootstrap", "20", "--json")
        #expect(judged.status == 0 && judged.error.contains(note), "\(judged)")
        let figures = try #require(
            JSONSerialization.jsonObject(with: Data(judged.output.utf8)) as? [String: Any])
        #expect(figures["labels_cut_at"] as? Double == 0.5 && figures["auroc"] as? Double == 1)
        let page = try Command.run(
            "report", folder("probe"), data, "--labels", labels, "--bootstrap", "0", "--out",
            folder("page.html"))
        #expect(page.status == 0 && page.error.contains(note), "\(page)")
        let text = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(text.contains(#""target":0.8"#) && text.contains(#""target":0.1"#))
    }

    // A selection with calibration, threshold and out-of-fold scores, and a comparison.
    @Test func selectAndCompare() throws {
        let run = try Command.run(
            "train", data, "--labels", labels, "--task", "binary", "--select", "--kind", "mean,swim",
            "--folds",
            "3", "--fpr", "0.4", "--confidence", "0.5", "--out", folder("probe"))
        #expect(run.status == 0 && run.error.contains("of 15 negatives"), "\(run)")
        let probe = try Probe(path: folder("probe"))
        #expect(probe.calibration != nil && probe.thresholdRule != nil)
        let lines = try String(contentsOfFile: folder("probe.out-of-fold.jsonl"), encoding: .utf8)
        #expect(lines.split(separator: "\n")[1].contains(#""label":0.8"#))
        let compared = try Command.run(
            "compare", data, "--test", data, "--labels", labels, "--task", "binary", "--kind", "mean", "--l2",
            "0.1", "--folds", "2", "--bootstrap", "9", "--report", folder("c.html"))
        #expect(compared.status == 0 && compared.error.contains(note), "\(compared)")
    }

    // Out-of-fold rows are a table of labels that says what the first one said.
    @Test(arguments: ["0", "1"]) func outOfFoldLabelsAreThoseGiven(positive: String) throws {
        let run = try Command.run(
            "train", data, "--labels", labels, "--task", "binary", "--positive", positive, "--select",
            "--kind",
            "mean", "--folds", "3", "--out", folder("probe"))
        #expect(run.status == 0, "\(run)")
        let lines = try String(contentsOfFile: folder("probe.out-of-fold.jsonl"), encoding: .utf8)
        #expect(lines.split(separator: "\n")[0].contains(#""label":0.1"#), "\(lines.prefix(200))")
        #expect(lines.split(separator: "\n")[1].contains(#""label":0.8"#))
        func auroc(_ table: String) throws -> Double? {
            let run = try Command.run(
                "evaluate", folder("probe"), data, "--labels", table, "--bootstrap", "0", "--json")
            let figures = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
            return figures?["auroc"] as? Double
        }
        #expect(try auroc(labels) == 1 && auroc(folder("probe.out-of-fold.jsonl")) == 1)
    }

    @Test func valuesThatAreNoProbability() throws {
        let bad = try folder.write(Array("id,label\n0,0.5\n1,1.5\n2,0\n".utf8), to: "bad.csv")
        try expectFailure(
            65,
            "bad.csv: the label of 1: expected one of two classes, or a probability from 0 to 1, found 1.5",
            in: folder,
            [
                "train", data, "--labels", bad, "--task", "binary", "--out", folder("none"), "--quiet",
            ])
    }
}
