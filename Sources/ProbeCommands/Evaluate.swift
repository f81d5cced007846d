import ArgumentParser
import AttentionProbes

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a probe's scores with the labels.",
        usage: """
            attnprobe evaluate PROBE DATA... [--documents N] [--json] [options]
            attnprobe evaluate PROBE --data DATA... [--json] [options]
            """,
        discussion: """
            Several DATA are one set together. With --data each is a set of its own, and one table has them all.

              attnprobe evaluate probe.safetensors test.safetensors --documents 3
              attnprobe evaluate probe.safetensors test.safetensors --controls train.safetensors
            """)

    @Argument(help: "The probe file.")
    var probe: String
    @Argument(help: "Activation files or folders, with labels.")
    var data: [String] = []
    @Option(
        name: .customLong("data"), parsing: .upToNextOption,
        help: ArgumentHelp("Activation files or folders, each judged for itself.", valueName: "data"))
    var sets: [String] = []
    @OptionGroup var options: EvaluationOptions
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var controls: ControlOptions
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard data.isEmpty == sets.isEmpty else { return }
        throw ValidationError(
            "expected either DATA, which are one set, or --data DATA..., each a set, found "
                + (data.isEmpty ? "neither" : "both"))
    }

    func run() throws {
        let path = probe
        let probe = try Probe(path: path)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        let trained = try controls.trained(probe, shared, labels: labelling)
        func judge(_ data: [String]) throws -> Judgement {
            try options.judge(
                probe, path, shared.open(data, labels: labelling, for: [probe]), shared.running,
                shared.watch(line), allTokens: json, controls: trained,
                labels: labelling)
        }
        guard sets.isEmpty else {
            let judgements = try zip(setNames(sets), sets).map {
                NamedJudgement(name: $0, judgement: try judge([$1]))
            }
            line.finish()
            try StandardOutput.print(
                json
                    ? NamedJudgements(dataSets: judgements).json()
                    : NamedJudgements(dataSets: judgements).table(probe))
            return
        }
        let judgement = try judge(data)
        line.finish()
        if json {
            try StandardOutput.print(judgement.json())
        } else {
            let parts = [judgement.evaluation.table(probe, judgement.data)] + judgement.furtherTables
            try StandardOutput.print(parts.joined(separator: "\n\n"))
        }
    }
}
