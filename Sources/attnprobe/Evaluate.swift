import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a probe's scores with the labels.",
        usage: "attnprobe evaluate PROBE DATA... [--documents N] [--json] [options]",
        discussion: """
              attnprobe evaluate probe.safetensors test.safetensors --documents 3
            """)

    @Argument(help: "The probe file.")
    var probe: String
    @Argument(help: "Activation files or folders, with labels.")
    var data: [String]
    @Option(help: "Also show the most attended tokens of so many documents, the most confident first.")
    var documents = 0
    @Option(help: "Draws of the bootstrap for 95 % confidence intervals; 0 for none.")
    var bootstrap = 1000
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard documents >= 0 else {
            throw ValidationError("--documents: expected 0 or more, found \(documents)")
        }
        guard bootstrap >= 0 else {
            throw ValidationError("--bootstrap: expected 0 or more, found \(bootstrap)")
        }
    }

    func run() throws {
        let probe = try Probe(path: probe)
        let data = try shared.open(data, classes: probe.task.classes)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        var progress = ScoreProgress(data)
        let draws = bootstrap > 0 ? Bootstrap(replicates: bootstrap, seed: shared.seed) : nil
        let evaluation = try probe.evaluate(data, threads: shared.threadCount, bootstrap: draws) { range in
            progress.add(range)
            line.show(progress.line(line.elapsed))
        }
        line.finish()
        let shown =
            documents > 0
            ? try AttendedDocument.mostConfident(documents, probe, data, shared.threadCount) : nil
        if json {
            try StandardOutput.print(Report(evaluation: evaluation, documents: shown).json())
        } else {
            let parts = [evaluation.table(probe.task.classes)] + (shown ?? []).map(\.text)
            try StandardOutput.print(parts.joined(separator: "\n\n"))
        }
    }

    // The evaluation's own keys, with the documents beside them.
    private struct Report: Encodable {
        let evaluation: Evaluation
        let documents: [AttendedDocument]?

        private enum CodingKeys: String, CodingKey { case documents }

        func encode(to encoder: any Encoder) throws {
            try evaluation.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(documents, forKey: .documents)
        }
    }
}

extension Evaluation {
    /// Names and figures in two columns, then the confusion matrix.
    func table(_ classes: [String]?) -> String {
        var rows: [(String, String)] = [
            ("task", task), ("sequences", String(sequences)), ("tokens", String(tokens)),
            ("loss", decimal(loss)),
        ]
        let figures: [(String, Double?)] = [
            ("accuracy", accuracy), ("balanced accuracy", balancedAccuracy), ("AUROC", auroc),
            ("average precision", averagePrecision), ("F1", f1),
            ("recall at 0.1% FPR", recallAt01FPR), ("recall at 1% FPR", recallAt1FPR),
            ("recall at 5% FPR", recallAt5FPR), ("Brier score", brierScore),
            ("calibration error", expectedCalibrationError), ("R²", r2),
            ("mean squared error", meanSquaredError),
            ("threshold", threshold),
        ]
        let intervalNames = [
            "accuracy": "accuracy", "balanced accuracy": "balanced_accuracy", "AUROC": "auroc",
            "average precision": "average_precision", "F1": "f1", "recall at 1% FPR": "recall_at_1_fpr",
        ]
        rows += figures.compactMap { name, value in
            guard let value else { return nil }
            let interval = intervalNames[name].flatMap { intervals[$0] }
            let range = interval.map { "  (\(decimal($0.lowerBound)) to \(decimal($0.upperBound)))" } ?? ""
            return (name, decimal(value) + range)
        }
        if let entropyRatio {
            rows.append(
                ("entropy ratio", entropyRatio.map { String(format: "%.2f", $0) }.joined(separator: " ")))
        }
        rows += byLength.map { third in
            let area = third.auroc.map { ", AUROC \(decimal($0))" } ?? ""
            return (
                "\(third.name) ones",
                "accuracy \(decimal(third.accuracy))\(area)  (\(third.sequences) of "
                    + "\(third.tokens.lowerBound) to \(third.tokens.upperBound) tokens)"
            )
        }
        let width = rows.map(\.0.count).max() ?? 0
        var lines = rows.map { $0.0.filled(to: width + 2) + $0.1 }
        if let confusionMatrix, let classes {
            lines += ["", "label \\ predicted"] + confusionLines(confusionMatrix.counts, classes)
        }
        return lines.joined(separator: "\n")
    }

    private func confusionLines(_ counts: [[Int]], _ classes: [String]) -> [String] {
        let names = classes.map { String($0.prefix(16)) }
        let nameWidth = names.map(\.count).max() ?? 0
        let width = (counts.joined().map { String($0).count }.max() ?? 1) + 2
        return zip(names, counts).map { name, row in
            name.filled(to: nameWidth) + row.map { String($0).padded(to: width) }.joined()
        }
    }
}
