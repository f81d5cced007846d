import ArgumentParser
import AttentionProbes
import Foundation

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
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        try require(documents, "documents", from: 0)
        try require(bootstrap, "bootstrap", from: 0, to: Bootstrap.mostReplicates)
    }

    func run() throws {
        let probe = try Probe(path: probe)
        let data = try probe.labelled(shared.open(data, labels: labelling, for: [probe]))
        shared.warnOfTraining(probe, data)
        shared.noteSoftLabels(data)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        var progress = ScoreProgress(data)
        let draws = bootstrap > 0 ? Bootstrap(replicates: bootstrap, seed: shared.seed) : nil
        let scored = try probe.scored(data, threads: shared.threadCount) { range in
            progress.add(range)
            line.show(progress.line(line.elapsed))
        }
        let evaluation = try scored.evaluation(threads: shared.threadCount, bootstrap: draws)
        line.finish()
        let shown =
            documents > 0
            ? try AttendedDocument.mostConfident(documents, scored) : nil
        if json {
            try StandardOutput.print(Report(evaluation: evaluation, documents: shown).json())
        } else {
            let parts = [evaluation.table(probe, data)] + (shown ?? []).map(\.text)
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
