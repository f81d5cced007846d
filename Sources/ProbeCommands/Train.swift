import ArgumentParser
import AttentionProbes

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit a probe to labelled activations, or choose one with --select.",
        usage: "attnprobe train DATA... --out PROBE [--kind KIND] [--select] [options]",
        discussion: """
            Trains on all sequences, or with --validation-fraction or --validation keeps the \
            epoch with the lowest loss on held-out ones. Ctrl-C stops and saves that epoch, or \
            without held-out sequences the last.

              attnprobe train train.safetensors --out probe.safetensors --heads 4 --seed 1
              attnprobe train train.safetensors --out probe.safetensors --select --fpr 0.01
              attnprobe train train.safetensors --out probe.safetensors --select \\
                  --kind attention,mean --heads 1,2,8 --l2 0.001,0.01,0.1
            """)

    @Argument(help: "Activation files or folders.")
    var data: [String]
    @Option(name: [.short, .long], help: "The probe file to write.")
    var out: String
    @OptionGroup var goal: TaskOptions
    @Option(
        help: """
            Probes to train, with successive seeds, and to average into one of so many times the heads \
            (\(names(\.addsHeads) { $0.has(.hidden) ? " without a hidden layer" : "" })). (default: 1; with --select 4)
            """)
    var average: Int?
    @Option(help: "Share of sequences held out for early stopping, whole groups. (default: 0)")
    var validationFraction: Double?
    @Option(help: "Activations for early stopping, in place of held-out sequences.")
    var validation: [String] = []
    @Option(help: "Epochs without a lower validation loss before stopping. (default: 10)")
    var patience: Int?
    @Flag(help: "Print a JSON object about the training on standard output.")
    var json = false
    @OptionGroup(title: "Probe and training") var choices: CandidateOptions
    @OptionGroup(title: "Selection") var selection: SelectionOptions
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    private var kinds: [ProbeKind] { choices.kind?.values ?? (selection.select ? [] : [.attention]) }

    func validate() throws {
        func check(_ isValid: Bool, _ name: String, _ expected: String) throws {
            guard isValid else { throw ValidationError("--\(name): expected \(expected)") }
        }
        for (name, count) in choices.listed where !selection.select {
            try check(count == 1, name, "one value without --select, found \(count)")
        }
        try require(validationFraction, "validation-fraction", "a number from 0 to below 1") {
            (0..<1).contains($0)
        }
        try require(patience, "patience")
        try require(average, "average", to: 1000)
        // The default grid is that of the task, which `run` knows.
        if !kinds.isEmpty { try checkUse(by: choices.configurations(kinds)) }
        try check(
            validation.isEmpty || validationFraction == nil, "validation",
            "it or --validation-fraction, not both")
        let holdsOut = !validation.isEmpty || validationFraction ?? 0 > 0
        try check(
            !holdsOut || !selection.select, validation.isEmpty ? "validation-fraction" : "validation",
            "none with --select, which has folds")
        try check(
            patience == nil || holdsOut, "patience", "it only with --validation or --validation-fraction")
        try check(
            patience == nil || !kinds.allSatisfy(\.isClosedForm), "patience",
            "it only with a kind that an optimiser trains, not \(names(\.isClosedForm, last: " and ")), which are fitted in one step"
        )
    }

    // Refuses options that none of the candidates has, and averages of too many heads.
    private func checkUse(by configurations: [ProbeConfiguration]) throws {
        try choices.checkUse(by: configurations)
        try configurations.checkAverage(average ?? (selection.select ? 4 : 1), isGiven: average != nil)
    }

    func run() throws {
        var training = try selection.grouping.grouped(
            shared.open(data, labels: labelling, task: goal.expected))
        let task = try goal.task(of: training)
        training = try training.labelled(for: task)
        shared.notes.noteSoftLabels(training)
        let heldOut = validation.isEmpty ? nil : try shared.open(validation, labels: labelling, task: task)
        try SharedOptions.checkOutput(out)
        // Fails now rather than after the training if the probe cannot be written.
        try OutputFile.check(path: out)
        let candidates = choices.candidates(for: task, kinds: kinds)
        if kinds.isEmpty { try checkUse(by: candidates.map(\.configuration)) }
        try choices.checkFit(task)
        if selection.select {
            try ProbeChoice(
                options: selection, shared: shared, out: out, average: average ?? 4,
                isDefaultGrid: kinds.isEmpty, json: json
            ).run(candidates, training, task)
        } else {
            try train(candidates[0], training, heldOut, task)
        }
    }

    private func train(
        _ candidate: Candidate, _ training: ActivationSet, _ heldOut: ActivationSet?, _ task: ProbeTask
    ) throws {
        try Trainer(candidate.configuration, options: options(candidate, 0))
            .checkMemory(training, task: task, average: average ?? 1)
        let interrupt = Interrupt(isQuiet: shared.quiet)
        let line = ProgressLine(isShown: !shared.quiet)
        // Until the first epoch has ended.
        interrupt.mayEnd(Self.nothingToSave)
        var results: [Trainer.Result] = []
        var isInterrupted = false
        for number in 0..<(average ?? 1) where !isInterrupted {
            let start = line.elapsed
            let result = try Trainer(candidate.configuration, options: options(candidate, number)).fit(
                training, validation: heldOut, task: task,
                progress: { report in
                    interrupt.mayEnd(nil)
                    // Not before: bad data are refused in one sentence.
                    if report.epoch <= 1, number == 0 { shared.note(training.heading(task)) }
                    let name = average.map { "\(number + 1)/\($0) " } ?? ""
                    line.show(name + progress(report, training.tokenCount, line.elapsed - start))
                },
                isInterrupted: { interrupt.isSet })
            isInterrupted = result.stop == .interrupted
            if result.best != nil { results.append(result) }
        }
        line.finish()
        guard let result = results.last, let best = result.best else {
            shared.note(Self.nothingToSave)
            throw ExitCode(130)
        }
        let probes = results.map(\.probe)
        try (probes.count > 1 ? Probe.average(probes) : probes[0]).write(to: out)
        if let first = result.history.first, !(best.loss <= first.loss) {
            shared.note(
                "warning: the loss rose from \(significant(first.loss)) to \(significant(best.loss)); "
                    + "a lower --learning-rate may help")
        }
        let validationLoss = best.validationLoss.map { ", validation \(significant($0))" } ?? ""
        let stop =
            isInterrupted ? .interrupted : results.map(\.stop).first { $0 == .unconverged } ?? result.stop
        shared.note(
            "\(stop.rawValue): saved \(out) as of round \(best.epoch), "
                + "loss \(significant(best.loss))\(validationLoss)")
        if json { try StandardOutput.print(Summary(result, best, stop, out).json()) }
        if isInterrupted { throw ExitCode(130) }
    }

    private static let nothingToSave = "interrupted before there was anything to save"

    private func progress(_ report: TrainingProgress, _ tokens: Int, _ elapsed: Double) -> String {
        let left = elapsed / Double(max(1, report.epoch)) * Double(report.epochs - report.epoch)
        let number = String(report.epoch).padded(to: String(report.epochs).count)
        let validation = report.validationLoss.map { " val \(significant($0))" } ?? ""
        return "epoch \(number)/\(report.epochs) \(bar(report.epoch, of: report.epochs)) "
            + "loss \(significant(report.loss))\(validation) \(rate(tokens * report.epoch, elapsed)) "
            + "\(clock(elapsed))<\(clock(left))"
    }

    private func options(_ candidate: Candidate, _ number: Int) -> TrainingOptions {
        var options = candidate.options
        options.validationFraction = validationFraction ?? options.validationFraction
        options.patience = patience ?? options.patience
        options.seed = shared.seed &+ UInt64(number)
        options.threads = shared.threadCount
        return options
    }

    private struct Summary: Encodable {
        let probe: String
        let stop: String
        let epoch: Int
        let epochs_run: Int
        let loss, penalty: Double
        let validation_loss: Double?
        let training_sequences, validation_sequences: Int
        let task: String
        let positive: String?

        init(_ result: Trainer.Result, _ best: TrainingProgress, _ stop: TrainingStop, _ path: String) {
            probe = path
            self.stop = stop.rawValue
            epoch = best.epoch
            epochs_run = result.history.count
            (loss, penalty, validation_loss) = (best.loss, best.penalty, best.validationLoss)
            training_sequences = result.trainingCount
            validation_sequences = result.validationCount
            (task, positive) = (result.probe.task.name, result.probe.task.positiveClass)
        }
    }
}

extension ActivationSet {
    /// "1000 sequences, 96733 tokens of 384; binary: benign, injection".
    func heading(_ task: ProbeTask) -> String {
        "\(count) sequences, \(tokenCount) tokens of \(width); \(task.summary)"
    }
}
