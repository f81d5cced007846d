import ArgumentParser
import AttentionProbes

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a probe's scores with the labels.",
        usage: """
            attnprobe evaluate PROBE DATA... [--documents N] [--json] [options]
            attnprobe evaluate PROBE --data DATA... [--json] [options]
            attnprobe evaluate [PROBE] SCORES --labels TABLE [--json] [options]
            """,
        discussion: """
            Several DATA are one set together. With --data each is a set of its own, and one table has them all. \
            Scores of one probe, as score writes them, need no hidden states.

              attnprobe evaluate probe.safetensors test.safetensors --documents 3
              attnprobe evaluate probe.safetensors test.safetensors \\
                  --controls train.safetensors
            """)

    @Argument(help: "The probe file, or a file of scores.")
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
        guard !data.isEmpty, !sets.isEmpty else { return }
        throw ValidationError(
            "expected either DATA, which are one set, or --data DATA..., each a set, found both")
    }

    func run() throws {
        let path = probe
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        func judge(_ probe: Probe, _ data: ActivationSet, _ controls: TrainedControls?) throws -> Judgement {
            try options.judge(
                probe, path, data, shared.running, shared.watch(line), allTokens: json, controls: controls,
                labels: labelling)
        }
        guard sets.isEmpty else {
            let probe = try Probe(path: path)
            let trained = try controls.trained(probe, shared, labels: labelling)
            let judgements = try zip(setNames(sets), sets).map { name, path in
                let data = try shared.open([path], labels: labelling, for: [probe])
                return NamedJudgement(name: name, judgement: try judge(probe, data, trained))
            }
            line.finish()
            try StandardOutput.print(
                json
                    ? shared.json(NamedJudgements(dataSets: judgements))
                    : NamedJudgements(dataSets: judgements).table(probe))
            return
        }
        let input = try JudgedInput(path, data, labels: labelling, shared)
        let probe = input.probe
        try input.check(controls)
        if input.data.areScores { try options.checkNeedsNoStates() }
        let judgement = try judge(
            probe, input.data, controls.trained(probe, shared, labels: labelling))
        line.finish()
        if json {
            try StandardOutput.print(shared.json(judgement))
        } else {
            let parts = [judgement.evaluation.table(probe, judgement.data)] + judgement.furtherTables
            try StandardOutput.print(parts.joined(separator: "\n\n"))
        }
    }
}
