package import ArgumentParser
package import AttentionProbes
import Synchronization

/// What is learned from labelled data: one probe, or with --select the best of several.
package struct LearningOptions: ParsableArguments {
    @OptionGroup var goal: TaskOptions
    @Option(
        help: """
            Probes to train, with successive seeds, and to average into one of so many times the heads \
            (\(averagedKinds(last: ", "))). (default: 1; with --select 4)
            """)
    var average: Int?
    @Option(help: "Fraction of sequences held out for early stopping, whole groups. (default: 0)")
    var validationFraction: Double?
    @Option(help: "Activations for early stopping, in place of held-out sequences.")
    package var validation: [String] = []
    @Option(help: "Epochs without a lower validation loss before stopping. (default: 10)")
    var patience: Int?
    @OptionGroup(title: "Probe and training") var choices: CandidateOptions
    @OptionGroup(title: "Selection") var selection: SelectionOptions
    @OptionGroup(title: "Selection") var sweep: LayerSweepOption
    @OptionGroup(title: "Selection") var grouping: GroupOption
    @OptionGroup(title: "Selection") var target: ThresholdOptions

    package init() {}

    var kinds: [ProbeKind] { choices.kind?.values ?? (selection.select ? [] : [.attention]) }

    package mutating func validate() throws {
        func check(_ isValid: Bool, _ name: String, _ expected: String) throws {
            guard isValid else { throw ValidationError("--\(name): expected \(expected)") }
        }
        try check(
            selection.select || target.falsePositiveRate == nil, "fpr", "it only with --select")
        try check(selection.select || sweep.layersEach == nil, "layers-each", "it only with --select")
        for (name, count) in choices.listed where !selection.select {
            try check(count == 1, name, "one value without --select, found \(count)")
        }
        try require(validationFraction, "validation-fraction", "a number from 0 to below 1") {
            (0..<1).contains($0)
        }
        try require(patience, "patience")
        try require(average, "average", to: 1000)
        // What the default grid has of its kinds, `candidates` knows with the task.
        try checkUse(by: choices.configurations(kinds.isEmpty ? CandidateGrid.usualKinds : kinds))
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

    /// The data in the groups asked for, with labels as the task has them, and that task.
    package func lesson(_ data: ActivationSet, _ watch: Watch) throws -> (ActivationSet, ProbeTask) {
        let grouped = try grouping.grouped(data)
        let task = try goal.task(of: grouped)
        let labelled = try grouped.labelled(for: task)
        watch.noteSoftLabels(labelled)
        return (labelled, task)
    }

    /// What is trained for a task. Of pooled states, where no kind is asked for and no option belongs to another, it is a
    /// linear probe.
    ///
    /// - Parameter note: takes lines for people.
    /// - Throws: `ValidationError` where options and task do not fit.
    package func candidates(_ task: ProbeTask, _ data: ActivationSet, note: (String) -> Void) throws
        -> [Candidate]
    {
        var kinds = kinds
        if choices.kind == nil, data.isPooled, (try? checkUse(by: choices.configurations([.mean]))) != nil {
            kinds = [.mean]
            note("each sequence is one vector: --kind mean, which is linear, unless another is asked for")
        }
        let candidates = choices.candidates(for: task, kinds: kinds)
        if kinds.isEmpty { try checkUse(by: candidates.map(\.configuration)) }
        try choices.checkFit(task)
        return candidates
    }

    /// Refuses a metric, calibration or threshold that a task does not have.
    func checkSelection(fits task: ProbeTask) throws {
        if let metric = selection.metric, !metric.fits(task) {
            throw ValidationError(
                "--metric: expected a metric of a \(task.name) task, found \(metric.scoreName)")
        }
        let calibrates = selection.calibration ?? .none != .none
        guard !task.isBinary, target.falsePositiveRate != nil || calibrates else { return }
        throw ValidationError(
            "--\(target.falsePositiveRate == nil ? "calibration" : "fpr"): expected it only with a binary task, "
                + "found \(task.name)")
    }

    // How one of the probes that are averaged is trained.
    private func options(_ candidate: Candidate, _ number: Int, _ running: RunOptions) -> TrainingOptions {
        var options = candidate.options
        options.validationFraction = validationFraction ?? options.validationFraction
        options.patience = patience ?? options.patience
        options.seed = running.seed &+ UInt64(number)
        options.threads = running.threadCount
        return options
    }

    /// Fits a probe, or several that are averaged.
    ///
    /// - Parameters:
    ///   - data: labelled for the task, as `lesson` gives them.
    ///   - heldOut: data for early stopping; nil for none of their own.
    /// - Throws: `CancellationError` where the work is stopped before there is a probe; what training throws.
    package func train(
        _ candidate: Candidate, _ data: ActivationSet, heldOut: ActivationSet?, _ task: ProbeTask,
        _ running: RunOptions, _ watch: Watch
    ) throws -> TrainedProbe {
        let count = average ?? 1
        try Trainer(candidate.configuration, options: options(candidate, 0, running))
            .checkMemory(data, task: task, average: count)
        // Until there is something to save.
        watch.mayEnd(TrainedProbe.nothingToSave)
        // As soon as a training takes time, and not before: bad data are refused in one sentence.
        let isAnnounced = Atomic(false)
        @Sendable func announce() {
            if !isAnnounced.exchange(true, ordering: .relaxed) { watch.note(data.heading(task)) }
        }
        var results: [Trainer.Result] = []
        var isInterrupted = false
        for number in 0..<count where !isInterrupted {
            let options = options(candidate, number, running)
            let result = try Trainer(candidate.configuration, options: options).fit(
                data, validation: heldOut, task: task, start: nil,
                progress: { report in
                    watch.mayEnd(nil)
                    announce()
                    watch.progress(.training(report, number: number, count: count, tokens: data.tokenCount))
                },
                step: { step in
                    if step.epoch > 0 { watch.mayEnd(nil) }
                    announce()
                    watch.progress(.step(step, number: number, count: count, tokens: data.tokenCount))
                },
                isInterrupted: watch.isInterrupted)
            isInterrupted = result.stop == .interrupted
            // A part of a training is a probe where there is no whole one, and would take from an average.
            guard result.best != nil, !isInterrupted || results.isEmpty else { continue }
            watch.mayEnd(nil)
            results.append(result)
        }
        guard let last = results.last, let best = last.best else { throw CancellationError() }
        var probe = results.count > 1 ? Probe.average(results.map(\.probe)) : last.probe
        if isInterrupted {
            var notes = TrainingRecord()
            notes[.stop] = TrainingStop.interrupted
            probe = probe.deployed(threshold: probe.threshold, calibration: nil, noting: notes)
        }
        return TrainedProbe(
            probe: probe, trainings: results.count, of: count,
            stop: isInterrupted
                ? .interrupted : results.map(\.stop).first { $0 == .unconverged } ?? last.stop,
            last: last, best: best)
    }
}

extension ActivationSet {
    /// "1000 sequences, 96733 tokens of 384; binary: benign, injection".
    func heading(_ task: ProbeTask) -> String {
        "\(count) sequences, \(tokenCount) tokens of \(width); \(task.summary)"
    }
}
