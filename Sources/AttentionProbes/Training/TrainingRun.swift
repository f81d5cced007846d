private import Foundation
import Tensors

// One training run: its parameters on standardised tokens, and the best so far.
struct TrainingRun {
    /// What was reported, epoch by epoch.
    private(set) var history: [TrainingProgress] = []
    /// The report of the epoch that `bestParameters` come from; nil before the first.
    private(set) var best: TrainingProgress?
    /// Parameters with the lowest validation loss so far, or the latest, on standardised tokens and for
    /// scaled targets.
    private(set) var bestStandardized: [Float]

    private let options: TrainingOptions
    private let tensors: [ParameterTensor]
    private let targetScale: TargetScale
    private let objective: StandardizedObjective
    private let validation: Objective?
    private let start: [Float]
    private let isInterrupted: @Sendable () -> Bool
    private let progress: (TrainingProgress) -> Void

    init(
        _ architecture: any ProbeArchitecture, _ task: ProbeTask, _ options: TrainingOptions,
        training: ActivationSet, validation: ActivationSet?, start: [Float]? = nil,
        isInterrupted: @escaping @Sendable () -> Bool, progress: @escaping (TrainingProgress) -> Void
    ) throws {
        let threads = min(options.threads, Parallel.availableThreads)
        self.options = options
        self.isInterrupted = isInterrupted
        self.progress = progress
        tensors = architecture.tensors
        let targetScale = TargetScale(task, training.targets)
        let training = targetScale.scaled(training)
        objective = StandardizedObjective(
            training: Objective(
                architecture, training, task, weights: training.trainingWeights(options.classWeight),
                threads: threads),
            standardization: options.standardizes
                ? try Standardization(training, threads: threads) : Standardization(positionsOf: training),
            tensors: tensors, l2: options.l2)
        self.targetScale = targetScale
        self.validation = validation.map { validation in
            Objective(
                architecture, targetScale.scaled(validation), task,
                weights: validation.trainingWeights(.none), threads: threads)
        }
        var generator = SeededGenerator(seed: options.seed, stream: RandomStream.initialParameters)
        self.start =
            start ?? Self.centred(architecture.initialParameters(&generator), task, training, tensors)
        bestStandardized = self.start
    }

    /// The same parameters on tokens and for targets as they are.
    var bestParameters: [Float] { targetScale.restored(objective.folded(bestStandardized), tensors) }

    // Regression starts from the mean of the targets, in the last biases there are: those of the
    // hidden layer, or the heads' together.
    private static func centred(
        _ parameters: [Float], _ task: ProbeTask, _ training: ActivationSet, _ tensors: [ParameterTensor]
    ) -> [Float] {
        guard case .regression = task, case .values(let values) = training.targets,
            let biases = tensors.range(of: "o.bias") ?? tensors.range(of: "v.bias")
        else { return parameters }
        var parameters = parameters
        let heads = biases.count / values.columns
        for (i, bias) in biases.enumerated() {
            let sum = (0..<values.rows).reduce(0.0) { $0 + Double(values[$1, i % values.columns]) }
            parameters[bias] += Float(sum / Double(values.rows * heads))
        }
        return parameters
    }

    /// Trains to the end, or until it is interrupted.
    mutating func run() throws -> TrainingStop {
        switch options.optimizer {
        case .adamw: try runAdamW()
        case .lbfgs: try runLBFGS()
        }
    }

    private mutating func runAdamW() throws -> TrainingStop {
        var parameters = start
        var optimizer = AdamW(tensors, weightDecay: options.l2)
        var generator = SeededGenerator(seed: options.seed, stream: RandomStream.order)
        var order = Array(objective.training.data.indices)
        let batches = (order.count - 1) / options.batchSize(for: order.count) + 1
        for epoch in 1...options.epochs {
            order.shuffle(using: &generator)
            let tokens = tokenDropout(epoch)
            var loss = 0.0
            for batch in 0..<batches {
                if isInterrupted() { return .interrupted }
                let indices = Array(
                    order[batch * order.count / batches..<(batch + 1) * order.count / batches])
                let (batchLoss, gradient) = try objective.gradient(parameters, over: indices, tokens: tokens)
                let done =
                    (Double(epoch - 1) * Double(batches) + Double(batch))
                    / (Double(options.epochs) * Double(batches))
                let rate = options.learningRate * Float(0.5 * (1 + cos(.pi * done)))
                optimizer.step(&parameters, gradient, learningRate: rate)
                loss += batchLoss * Double(indices.count)
            }
            if try report(epoch, parameters, loss: loss / Double(order.count)) { return .earlyStopping }
        }
        return .finished
    }

    private mutating func runLBFGS() throws -> TrainingStop {
        var stop = TrainingStop.finished
        let outcome = try LBFGS(
            iterations: options.epochs, strongConvexity: objective.training.isConvex ? Double(options.l2) : 0
        ).minimize(from: start) { [objective] in
            try objective.penalizedGradient($0)
        } afterStep: { iteration, point in
            let loss = point.value - objective.penalty(point.x)
            if try report(iteration, point.x, loss: loss) { stop = .earlyStopping }
            if stop == .finished, isInterrupted() { stop = .interrupted }
            return stop == .finished
        }
        // Nothing to gain from the start on: the start is the result.
        if history.isEmpty { _ = try report(0, start, loss: objective.gradient(start).loss) }
        return outcome == .converged ? .converged : stop
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

    // Notes an epoch; true if patience is at its end.
    private mutating func report(_ epoch: Int, _ parameters: [Float], loss: Double) throws -> Bool {
        let factor = targetScale.lossFactor
        let validationLoss = try validation.map { try factor * $0.value(objective.folded(parameters)) }
        let isBest = validationLoss.map { $0 < best?.validationLoss ?? .infinity } ?? true
        let report = TrainingProgress(
            epoch: epoch, epochs: options.epochs, loss: factor * loss,
            penalty: factor * objective.penalty(parameters),
            validationLoss: validationLoss, bestEpoch: isBest ? epoch : best?.epoch ?? epoch)
        history.append(report)
        if isBest {
            best = report
            bestStandardized = parameters
        }
        progress(report)
        return validation != nil && epoch - report.bestEpoch >= options.patience
    }
}
