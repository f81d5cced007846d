import ArgumentParser
import AttentionProbes
import Synchronization

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
    @OptionGroup var options: LearningOptions
    @Flag(help: "Print a JSON object about the training on standard output.")
    var json = false
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let opened = try shared.open(
            data, labels: labelling, task: options.goal.expected, swept: options.sweep.layersEach)
        let (training, task) = try options.lesson(opened, shared.notes)
        let validation = options.validation
        let heldOut = validation.isEmpty ? nil : try shared.open(validation, labels: labelling, task: task)
        try SharedOptions.checkOutput(out)
        // Fails now rather than after the training if the probe cannot be written.
        try OutputFile.check(path: out)
        let candidates = try options.candidates(task, training, note: shared.note)
        if options.selection.select {
            try ProbeChoice(options: options, shared: shared, out: out, json: json).run(
                candidates, training, task)
        } else {
            try train(candidates[0], training, heldOut, task)
        }
    }

    private func train(
        _ candidate: Candidate, _ training: ActivationSet, _ heldOut: ActivationSet?, _ task: ProbeTask
    ) throws {
        let line = ProgressLine(isShown: !shared.quiet)
        let trained: TrainedProbe
        do {
            trained = try options.train(
                candidate, training, heldOut: heldOut, task, shared.running, watch(line))
        } catch is CancellationError {
            line.finish()
            shared.note(TrainedProbe.nothingToSave)
            throw ExitCode(130)
        }
        line.finish()
        try trained.probe.write(to: out)
        if let warning = trained.warning { shared.note(warning) }
        shared.note(trained.sentence(out))
        if let advice = trained.advice { shared.note(advice) }
        if json { try StandardOutput.print(shared.json(trained.summary(out))) }
        if trained.stop == .interrupted { throw ExitCode(130) }
    }

    private func watch(_ line: ProgressLine) -> Watch {
        let interrupt = Interrupt(isQuiet: shared.quiet)
        // When the training that is shown started, when it was last heard of, and which it is.
        let times = Mutex((start: line.elapsed, last: line.elapsed, number: 0))
        var watch = shared.notes
        watch.isInterrupted = { interrupt.isSet }
        watch.mayEnd = { interrupt.mayEnd($0) }
        watch.progress = { [average = options.average] progress in
            func show(_ number: Int, _ count: Int, isReading: Bool = false, _ text: (Double) -> String) {
                let elapsed = times.withLock { times in
                    // A training starts when the one before has ended, its epochs when all tokens were read once.
                    if number != times.number { (times.start, times.number) = (times.last, number) }
                    times.last = line.elapsed
                    if isReading { times.start = times.last }
                    return times.last - times.start
                }
                line.show((average == nil ? "" : "\(number + 1)/\(count) ") + text(elapsed))
            }
            switch progress {
            case .training(let report, let number, let count, let tokens):
                show(number, count) { report.line(tokens, $0) }
            case .step(let step, let number, let count, let tokens):
                show(number, count, isReading: step.epoch == 0) { step.line(tokens, $0) }
            case .selection, .scoring: break
            }
        }
        return watch
    }
}

extension TrainingProgress {
    // After so many seconds with so many tokens an epoch.
    fileprivate func line(_ tokens: Int, _ elapsed: Double) -> String {
        let validation = validationLoss.map { " val \(significant($0))" } ?? ""
        return trainingLine(
            epoch, epochs, (Double(epoch - 1) + fraction) / Double(epochs),
            "loss \(significant(loss))\(validation)", tokens,
            elapsed)
    }
}

extension TrainingStep {
    fileprivate func line(_ tokens: Int, _ elapsed: Double) -> String {
        guard epoch > 0 else { return "reading \(bar(done, of: total))" }
        return trainingLine(
            epoch, epochs, fraction, loss.map { "loss \(significant($0))" } ?? "", tokens, elapsed)
    }
}

private func trainingLine(
    _ epoch: Int, _ epochs: Int, _ fraction: Double, _ loss: String, _ tokens: Int, _ elapsed: Double
) -> String {
    let number = String(epoch).padded(to: String(epochs).count)
    let done = fraction * Double(epochs) * Double(tokens)
    // At first too little is known to tell how long the rest takes.
    let isKnown = fraction >= 1 || fraction > 0 && elapsed > 2
    let left = isKnown ? clock(elapsed * (1 / fraction - 1)) : "?"
    return "epoch \(number)/\(epochs) \(bar(Int((1000 * fraction).rounded()), of: 1000)) \(loss) "
        + "\(rate(Int(done), elapsed)) \(clock(elapsed))<\(left)"
}
