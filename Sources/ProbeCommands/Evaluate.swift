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
    @OptionGroup var options: EvaluationOptions
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let path = probe
        let probe = try Probe(path: path)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        let judgement = try options.judge(
            probe, path, shared.open(data, labels: labelling, for: [probe]), shared.running,
            shared.watch(line),
            allTokens: json, labels: labelling)
        line.finish()
        if json {
            try StandardOutput.print(judgement.json())
        } else {
            let parts =
                [judgement.evaluation.table(probe, judgement.data)]
                + [judgement.streaming?.table].compactMap(\.self)
                + (judgement.documents ?? []).map(\.text)
            try StandardOutput.print(parts.joined(separator: "\n\n"))
        }
    }
}
