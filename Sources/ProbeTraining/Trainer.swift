public import Activations
public import Probes

/// Fits probes of one configuration.
public struct Trainer: Sendable {
    /// The kind of probe and its sizes.
    package let configuration: ProbeConfiguration
    /// How it is trained; nil for the defaults of the optimiser that suits probe and task.
    package let options: TrainingOptions?

    /// A trainer.
    public init(_ configuration: ProbeConfiguration = .attention(), options: TrainingOptions? = nil) {
        self.configuration = configuration
        self.options = options
    }

    /// A fitted probe and how it came about.
    public struct Result: Sendable {
        /// The probe with the lowest validation loss; without validation, the last.
        public let probe: Probe
        /// What `progress` was told, in order.
        public let history: [TrainingProgress]
        /// What was told of the epoch that the probe is from; nil if it was interrupted before the
        /// first had ended, and the probe is as it started.
        public let best: TrainingProgress?
        /// Why training ended.
        public let stop: TrainingStop
        /// Sequences trained on.
        package let trainingCount: Int
        /// Sequences held out.
        package let validationCount: Int
        /// The probe's parameters on standardised tokens; nil for kinds fitted in one step.
        package let standardized: [Float]?
    }

    /// Fits a probe.
    ///
    /// The same data, options and seed give the same probe, bit for bit, on any number of threads.
    ///
    /// - Parameters:
    ///   - data: labelled sequences.
    ///   - validation: sequences for early stopping; nil takes a fraction of `data`.
    ///   - task: what to predict; nil reads it off the labels.
    ///   - progress: told after every epoch.
    ///   - isInterrupted: asked between steps; true ends training with the best probe so far.
    /// - Throws: `DataError` where there is no sequence, labels are missing, are of one class or do not fit the
    ///   task, the groups allow no split, hidden states are not finite, or a file has become shorter;
    ///   `MemoryShortage`; `CancellationError` where it is interrupted before training begins.
    public func fit(
        _ data: ActivationSet, validation: ActivationSet? = nil, task: ProbeTask? = nil,
        progress: @escaping (TrainingProgress) -> Void = { _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> Result {
        try fit(
            data, validation: validation, task: task, start: nil, progress: progress,
            isInterrupted: isInterrupted)
    }

    /// - Parameters:
    ///   - start: parameters on standardised tokens to start from; nil for the probe's own start.
    ///   - step: told of an epoch that takes long on the way, from any thread, one call at a time.
    /// - Throws: `CancellationError` besides, where it is interrupted before training begins.
    package func fit(
        _ data: ActivationSet, validation: ActivationSet? = nil, task: ProbeTask? = nil, start: [Float]?,
        progress: @escaping (TrainingProgress) -> Void = { _ in },
        step: @escaping @Sendable (TrainingStep) -> Void = { _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> Result {
        for set in [data, validation].compactMap(\.self) {
            try set.checkNotEmpty()
            try set.checkLengths(set.indices)
        }
        let task = try task ?? data.task()
        let data = try data.labelled(for: task)
        try checkMemory(data, task: task)
        var options = options ?? .suited(to: configuration.kind, task)
        if configuration.kind.readsOneToken { options.tokenDropout = 0 }
        var (training, heldOut) = try split(data, validation, options)
        heldOut = try heldOut?.labelled(for: task, isReordered: data.isReordered)
        guard configuration.kind.fits(task) || configuration.kind.isClosedForm else {
            throw training.labelError(
                .labels, expected: "labels of a task that a \(configuration.kind.rawValue) probe can do",
                found: task.name)
        }
        if let closedForm = configuration.kind.closedForm {
            return try fit(closedForm, training, heldOut, task, options, progress)
        }
        let architecture = configuration.trainedArchitecture(width: data.width, outputs: task.outputs)
        let teller = StepTeller(step)
        let isPooledOnce = options.optimizer == .lbfgs || options.tokenDropout == 0
        // What scores tokens one by one, and is trained as a probe on pooled ones, keeps the scale of tokens.
        let tokens = configuration.kind.trainedAs == nil ? nil : training
        if let pooled = architecture as? any PoolingArchitecture, isPooledOnce {
            // Dimensions are then those of the pooled states, and so is their standard deviation.
            let epochs = options.epochs
            training = try training.pooled(
                pooled.pooling, threads: options.threads, isInterrupted: isInterrupted
            ) { done, total in
                teller(TrainingStep(epoch: 0, epochs: epochs, done: done, total: total, loss: nil))
            }
            heldOut = try heldOut?.pooled(pooled.pooling, threads: options.threads)
        }
        var run = try TrainingRun(
            architecture, task, loss: configuration.kind.tokenLoss?(configuration), options,
            training: training, scaledAs: tokens, validation: heldOut,
            start: start, isInterrupted: isInterrupted, progress: progress, teller)
        let stop = try run.run()
        let probe = Probe(
            configuration, width: data.width, task: task, parameters: run.bestParameters,
            training: record(run, stop, task, options, data, training, heldOut))
        return Result(
            probe: probe, history: run.history, best: run.best, stop: stop, trainingCount: training.count,
            validationCount: heldOut?.count ?? 0, standardized: run.bestStandardized)
    }

    private func fit(
        _ closedForm: ClosedForm, _ training: ActivationSet, _ heldOut: ActivationSet?, _ task: ProbeTask,
        _ options: TrainingOptions,
        _ progress: (TrainingProgress) -> Void
    ) throws -> Result {
        guard case .binary = task, let labels = training.targets?.hardClasses else {
            throw training.labelError(
                .labels, expected: "two classes for a \(configuration.kind.rawValue) probe", found: task.name)
        }
        let weights = training.trainingWeights(options.classWeight)
        let parameters = try closedForm.fit(
            ClassStates(training, labels: labels, weights: weights, threads: options.threads))
        let architecture = configuration.architecture(width: training.width, outputs: 1)
        func loss(_ data: ActivationSet, _ weights: [Float]?) throws -> Double {
            try Objective(architecture, data, task, weights: weights, threads: options.threads)
                .value(parameters)
        }
        let report = TrainingProgress(
            epoch: 1, epochs: 1, fraction: 1, loss: try loss(training, weights), penalty: 0,
            validationLoss: try heldOut.map { try loss($0, $0.trainingWeights(.none)) }, bestEpoch: 1)
        progress(report)
        var record = TrainingRecord(training, task)
        record[.classWeight] = options.classWeight
        record[.trainingSequences] = training.count
        record[.trainingLoss] = report.loss
        let probe = Probe(
            configuration, width: training.width, task: task, parameters: parameters, training: record)
        return Result(
            probe: probe, history: [report], best: report, stop: .converged,
            trainingCount: training.count, validationCount: heldOut?.count ?? 0, standardized: nil)
    }

    // Training and validation sequences; the training part has to have every class.
    private func split(
        _ data: ActivationSet, _ validation: ActivationSet?, _ options: TrainingOptions
    ) throws(DataError) -> (ActivationSet, ActivationSet?) {
        try data.checkSeveralClasses()
        if let validation {
            try data.checkStates(validation)
            return (data, validation)
        }
        guard options.validationFraction > 0 else { return (data, nil) }
        let (first, second) = data.split(fraction: options.validationFraction, seed: options.seed)
        let hint =
            "groups to split so that the training part has every class (a validation fraction of 0 trains on all)"
        guard !first.isEmpty, !second.isEmpty else {
            throw DataError(
                .singleClass, data.files[0].path, expected: hint,
                found: "\(data.count) sequences in groups that cannot be split")
        }
        let training = data.selecting(first)
        guard training.classCount == data.classCount else {
            throw DataError(
                .singleClass, data.files[0].path, expected: hint, found: "a class within one group")
        }
        return (training, data.selecting(second))
    }

    // What the probe file says about its training.
    private func record(
        _ run: TrainingRun, _ stop: TrainingStop, _ task: ProbeTask, _ options: TrainingOptions,
        _ data: ActivationSet, _ training: ActivationSet, _ validation: ActivationSet?
    ) -> TrainingRecord {
        var record = TrainingRecord(data, task)
        record[.optimizer] = options.optimizer
        record[.epochs] = options.epochs
        record[.l2] = options.l2
        record[.standardizes] = options.standardizes
        if options.whitens { record[.whitens] = true }
        record[.seed] = options.seed
        record[.classWeight] = options.classWeight
        record[.trainingSequences] = training.count
        record[.validationSequences] = validation?.count ?? 0
        record[.stop] = stop
        if options.optimizer == .adamw {
            record[.learningRate] = options.learningRate
            record[.batchSize] = options.batchSize(for: training.count)
            record[.tokenDropout] = options.tokenDropout
        }
        record[.lossCurve] = LossCurve(run.history)
        record[.epoch] = run.best?.epoch
        record[.trainingLoss] = run.best?.loss
        record[.validationLoss] = run.best?.validationLoss
        return record
    }
}

extension ActivationSet {
    fileprivate var classCount: Int {
        targets?.hardClasses.map { Set($0).count } ?? 0
    }

    /// Refuses classes that are all the same, of soft labels those that they are cut to.
    package func checkSeveralClasses() throws(DataError) {
        guard let labels = targets?.hardClasses, classCount < 2 else { return }
        let name = labels.first.map { label in classes.map { $0[label] } ?? String(label) } ?? "none"
        throw labelError(
            .singleClass, expected: "sequences of at least two classes",
            found: "only class \(name)" + (targets!.areSoft ? ", where labels are cut at \(Target.cut)" : ""))
    }
}
