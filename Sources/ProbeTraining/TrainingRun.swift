private import Glibc
import Tensors
import Activations
import ProbeMetrics
import Probes

// One training run: its parameters on standardised tokens, and the best so far.
struct TrainingRun {
    /// What was reported, epoch by epoch.
    private(set) var history: [TrainingProgress] = []
    /// The report of the epoch that `bestParameters` come from; nil before the first.
    private(set) var best: TrainingProgress?
    /// Parameters with the lowest validation loss so far, or the latest, on tokens as `objective` scales them and
    /// for scaled targets.
    private var bestScaled: [Double]

    private let options: TrainingOptions
    private let tensors: [ParameterTensor]
    private let targetScale: TargetScale
    // Of all parameters, and of those that are trained now.
    private let whole: StandardizedObjective
    private var objective: StandardizedObjective
    private let stages: [[Range<Int>]]
    // Epochs of the stages that are done.
    private var done = 0
    // What parameters are on that a run starts from and leaves for another: standardised tokens, or tokens as they are.
    private let standardization: Standardization
    // Whether the objective has a scale of its own instead.
    private let isBalanced: Bool
    private let validation: Objective?
    private var start: [Float]
    private let isInterrupted: @Sendable () -> Bool
    private let progress: (TrainingProgress) -> Void
    private let teller: StepTeller

    /// - Parameters:
    ///   - loss: what the architecture's outputs are judged by; nil for the task's loss.
    ///   - tokens: the sequences whose tokens set the scale of dimensions; those of `training` if nil.
    /// - Throws: `DataError` where a hidden state is NaN or infinite; `CancellationError` where it is interrupted.
    init(
        _ architecture: any ProbeArchitecture, _ task: ProbeTask, loss: Loss?, _ options: TrainingOptions,
        training: ActivationSet, scaledAs tokens: ActivationSet? = nil, validation: ActivationSet?,
        start: [Float]? = nil, isInterrupted: @escaping @Sendable () -> Bool,
        progress: @escaping (TrainingProgress) -> Void, _ teller: StepTeller
    ) throws {
        let threads = min(options.threads, Parallel.availableThreads)
        self.options = options
        self.isInterrupted = isInterrupted
        self.progress = progress
        self.teller = teller
        tensors = architecture.tensors
        let targetScale = TargetScale(task, training.targets, weights: training.weights)
        let training = targetScale.scaled(training)
        isBalanced = options.optimizer == .lbfgs && !options.standardizes
        // Also where dimensions stay as they are: this pass finds NaN in tokens that training may never meet.
        let epochs = options.epochs * max(1, architecture.stages.count)
        let measured = try Standardization(
            tokens ?? training, threads: threads, whitens: options.standardizes && options.whitens,
            isInterrupted: isInterrupted
        ) { done, total in
            teller(TrainingStep(epoch: 0, epochs: epochs, done: done, total: total, loss: nil))
        }
        standardization = options.standardizes ? measured : measured.ofPositionsAlone
        stages = architecture.stages
        var objective = Objective(
            architecture, training, task, loss: loss, weights: training.trainingWeights(options.classWeight),
            threads: threads)
        objective.isInterrupted = isInterrupted
        objective.told = { teller.part($0, of: $1) }
        whole = StandardizedObjective(
            training: objective,
            standardization: isBalanced ? measured.balanced(l2: Double(options.l2)) : standardization,
            tensors: tensors, task: task, l2: options.l2, penalizesScaled: options.standardizes,
            isLinear: options.optimizer == .lbfgs)
        self.objective = stages.first.map(whole.training) ?? whole
        self.targetScale = targetScale
        self.validation = validation.map { validation in
            Objective(
                architecture, targetScale.scaled(validation), task, loss: loss,
                weights: validation.trainingWeights(.none), threads: threads)
        }
        var generator = SeededGenerator(seed: options.seed, stream: RandomStream.initialParameters)
        self.start =
            start ?? Self.centred(architecture.initialParameters(&generator), task, training, tensors)
        bestScaled = []
        bestScaled = scaled(self.start)
    }

    /// The best parameters, in the form of `start`.
    var bestStandardized: [Float] {
        guard isBalanced else { return bestScaled.map { Float($0) } }
        return standardization.unfold(objective.folded(bestScaled), tensors).map { Float($0) }
    }

    // Parameters as the objective takes them, from those of the form of `start`.
    private func scaled(_ parameters: [Float]) -> [Double] {
        guard isBalanced else { return parameters.map(Double.init) }
        return objective.standardization.unfold(standardization.fold(parameters, tensors), tensors)
    }

    /// The same parameters on tokens and for targets as they are.
    var bestParameters: [Float] { targetScale.restored(objective.folded(bestScaled), tensors) }

    // Regression starts from the mean of the targets, in the biases of the outputs: a hidden layer's, or
    // the heads' together.
    private static func centred(
        _ parameters: [Float], _ task: ProbeTask, _ training: ActivationSet, _ tensors: [ParameterTensor]
    ) -> [Float] {
        guard case .regression = task, case .values(let values) = training.targets,
            let biases = tensors.placed.first(where: { $0.tensor.scalesOutputs && $0.tensor.role == .bias })?
                .range
        else { return parameters }
        var parameters = parameters
        let heads = biases.count / values.columns
        for (i, bias) in biases.enumerated() {
            let sum = (0..<values.rows).reduce(0.0) { $0 + Double(values[$1, i % values.columns]) }
            parameters[bias] += Float(sum / Double(values.rows * heads))
        }
        return parameters
    }

    // Of all stages, at most.
    private var epochs: Int { options.epochs * max(1, stages.count) }

    /// Trains to the end, or until it is interrupted; stages one after the other.
    mutating func run() throws -> TrainingStop {
        var stop = try optimize()
        for stage in stages.dropFirst() where stop != .interrupted {
            start = bestStandardized
            objective = whole.training(stage)
            done = history.last?.epoch ?? 0
            let own = try optimize()
            if own == .interrupted || stop != .unconverged { stop = own }
        }
        return stop
    }

    private mutating func optimize() throws -> TrainingStop {
        switch options.optimizer {
        case .adamw: try runAdamW()
        case .lbfgs: try runLBFGS()
        }
    }

    private mutating func runAdamW() throws -> TrainingStop {
        var parameters = start
        var (gradient, folded): ([Float], [Float]) = ([], [])
        var optimizer = AdamW(
            tensors, weightDecay: options.l2, trained: objective.trained, threads: objective.training.threads)
        var generator = SeededGenerator(seed: options.seed, stream: RandomStream.order)
        var order = Array(objective.training.data.indices)
        let batches = (order.count - 1) / options.batchSize(for: order.count) + 1
        for epoch in 1...options.epochs {
            order.shuffle(using: &generator)
            // Across steps: one has too few sequences for reading to get ahead.
            let training = objective.training
            let readAhead = training.isLargerThanMemory ? training.data.readAhead(order) : nil
            let tokens = tokenDropout(done + epoch)
            var loss = 0.0
            for batch in 0..<batches {
                let steps = (epoch - 1) * batches + batch
                let indices = Array(
                    order[batch * order.count / batches..<(batch + 1) * order.count / batches])
                teller.begin(
                    TrainingStep(
                        epoch: done + epoch, epochs: epochs, done: batch, total: batches,
                        loss: batch > 0
                            ? targetScale.lossFactor * loss / Double(batch * order.count / batches) : nil))
                let batchLoss = try unlessInterrupted {
                    try blamingRate(after: steps) {
                        try objective.gradient(
                            parameters, over: indices, tokens: tokens, readAhead: readAhead, folded: &folded,
                            into: &gradient)
                    }
                }
                guard let batchLoss else {
                    if batch > 0 {
                        _ = try report(
                            epoch, parameters.map(Double.init),
                            loss: loss / Double(batch * order.count / batches),
                            fraction: Double(batch) / Double(batches))
                    }
                    return .interrupted
                }
                let done = Double(steps) / (Double(options.epochs) * Double(batches))
                let rate = options.learningRate * Float(0.5 * (1 + cos(.pi * done)))
                optimizer.step(&parameters, gradient, learningRate: rate)
                loss += batchLoss * Double(indices.count)
                let seen = (batch + 1) * order.count / batches
                teller(
                    TrainingStep(
                        epoch: self.done + epoch, epochs: epochs, done: batch + 1, total: batches,
                        loss: targetScale.lossFactor * loss / Double(seen)))
            }
            let isPatienceOver = try blamingRate(after: epoch * batches) {
                guard allFinite(objective.folded(parameters)[...]) else { throw NonFiniteProjection() }
                return try report(epoch, parameters.map(Double.init), loss: loss / Double(order.count))
            }
            if isPatienceOver { return .earlyStopping }
        }
        return .finished
    }

    // nil where it was interrupted before or on the way.
    private func unlessInterrupted<R>(_ body: () throws -> R) throws -> R? {
        guard !isInterrupted() else { return nil }
        do {
            return try body()
        } catch is CancellationError {
            return nil
        }
    }

    // Numbers beyond the range of floats after a step come from the step, not from the sequence that met them.
    private func blamingRate<R>(after steps: Int, _ body: () throws -> R) throws -> R {
        func diverged() -> DataError {
            DataError(
                .overflow, objective.training.data.files[0].path,
                expected: "a learning rate with which training converges",
                found: "\(options.learningRate), with which it diverged in step \(steps)")
        }
        do {
            return try body()
        } catch let error as DataError where error.rule == .overflow && steps > 0 {
            throw diverged()
        } catch is NonFiniteProjection {
            throw diverged()
        }
    }

    private mutating func runLBFGS() throws -> TrainingStop {
        var stop: TrainingStop?
        func begin(_ iteration: Int, _ loss: Double?) {
            teller.begin(TrainingStep(epoch: done + iteration, epochs: epochs, done: 0, total: 1, loss: loss))
        }
        begin(1, nil)
        let outcome: LBFGS.Outcome
        do {
            outcome = try LBFGS(iterations: options.epochs, curvatures: objective.curvatures).minimize(
                from: scaled(start)
            ) { [objective] in
                try objective.penalizedGradient($0)
            } afterStep: { iteration, point in
                let loss = point.value - objective.penalty(point.x)
                if try report(iteration, point.x, loss: loss) { stop = .earlyStopping }
                if stop == nil, isInterrupted() { stop = .interrupted }
                begin(iteration + 1, targetScale.lossFactor * loss)
                return stop == nil
            }
        } catch is CancellationError {
            return .interrupted
        }
        // Nothing to gain from the start on: the start is the result.
        if history.isEmpty {
            let start = scaled(start)
            _ = try report(0, start, loss: objective.penalizedGradient(start).0 - objective.penalty(start))
        }
        return stop ?? (outcome == .converged ? .converged : .unconverged)
    }

    // Hides each token with the probability chosen, keeping one: other tokens for every sequence and
    // epoch, the same in every run with the seed.
    private func tokenDropout(_ epoch: Int) -> (@Sendable (Int) -> TokenSequence)? {
        guard options.tokenDropout > 0 else { return nil }
        let (data, seed, probability) = (objective.training.data, options.seed, options.tokenDropout)
        return { index in
            let sequence = data[index]
            let stream = RandomStream.tokenDropout &+ UInt64(epoch) << 32 &+ UInt64(index) << 8
            var generator = SeededGenerator(seed: seed, stream: stream)
            let spared = Int.random(in: 0..<sequence.count, using: &generator)
            return sequence.keeping { $0 == spared || generator.uniform() >= probability }
        }
    }

    // Notes an epoch, or what was done of it; true if patience is at its end.
    private mutating func report(
        _ epoch: Int, _ parameters: [Double], loss: Double, fraction: Double = 1
    ) throws -> Bool {
        let factor = targetScale.lossFactor
        let validationLoss = try validation.map { try factor * $0.value(objective.folded(parameters)) }
        let isBest = validationLoss.map { $0 < best?.validationLoss ?? .infinity } ?? true
        let epoch = done + epoch
        let report = TrainingProgress(
            epoch: epoch, epochs: epochs, fraction: fraction, loss: factor * loss,
            penalty: factor * objective.penalty(parameters),
            validationLoss: validationLoss, bestEpoch: isBest ? epoch : best?.epoch ?? epoch)
        history.append(report)
        if isBest {
            best = report
            bestScaled = parameters
        }
        progress(report)
        return validation != nil && epoch - report.bestEpoch >= options.patience
    }
}
