import ArgumentParser
import AttentionProbes

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
    @Flag(
        help: """
            Also judge the probe as a monitor that looks after every token and flags a sequence as soon as the text so \
            far reaches the threshold (binary).
            """)
    var streaming = false
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        try require(documents, "documents", from: 0)
        try require(bootstrap, "bootstrap", from: 0, to: Bootstrap.mostReplicates)
    }

    func run() throws {
        let path = probe
        let probe = try Probe(path: path)
        let data = try probe.labelled(shared.open(data, labels: labelling, for: [probe]))
        shared.warnOfTraining(probe, data)
        shared.noteSoftLabels(data)
        shared.noteThreshold(probe, path, streaming: streaming)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        var progress = ScoreProgress(data)
        let draws = bootstrap > 0 ? Bootstrap(replicates: bootstrap, seed: shared.seed) : nil
        let scored = try probe.scored(data, threads: shared.threadCount) { range in
            progress.add(range)
            line.show(progress.line(line.elapsed))
        }
        let streamed = try streaming ? streamed(probe, data, line) : nil
        let evaluation = try scored.evaluation(threads: shared.threadCount, bootstrap: draws)
        line.finish()
        let shown =
            documents > 0
            ? try AttendedDocument.mostConfident(documents, scored, withAll: json) : nil
        if json {
            try StandardOutput.print(
                Report(evaluation: evaluation, streaming: streamed, documents: shown).json())
        } else {
            let parts =
                [evaluation.table(probe, data)] + [streamed?.table].compactMap(\.self)
                + (shown ?? []).map(\.text)
            try StandardOutput.print(parts.joined(separator: "\n\n"))
        }
    }

    private func streamed(_ probe: Probe, _ data: ActivationSet, _ line: ProgressLine) throws
        -> StreamingMetrics?
    {
        var progress = ScoreProgress(data)
        return try probe.streamed(data, threads: shared.threadCount) { range in
            progress.add(range)
            line.show(progress.line(line.elapsed))
        }.metrics()
    }

    // The evaluation's own keys, with the others beside them.
    private struct Report: Encodable {
        let evaluation: Evaluation
        let streaming: StreamingMetrics?
        let documents: [AttendedDocument]?

        private enum CodingKeys: String, CodingKey { case streaming, documents }

        func encode(to encoder: any Encoder) throws {
            try evaluation.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(streaming, forKey: .streaming)
            try container.encodeIfPresent(documents, forKey: .documents)
        }
    }
}
