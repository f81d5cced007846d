public import Activations
public import Probes

/// How a probe is trained.
public struct TrainingOptions: Sendable, Equatable {
    /// The optimiser.
    public var optimizer: Optimizer
    /// Passes over the training sequences for AdamW, iterations for L-BFGS.
    public var epochs: Int
    /// Sequences of a minibatch (AdamW), at least 1; nil for as many as suit the data (`batchSize(for:)`).
    public var batchSize: Int?
    /// The highest learning rate (AdamW).
    public var learningRate: Float
    /// λ: L-BFGS minimises loss + λ/2·Σw², AdamW decays weights by λ times the learning rate a
    /// step. Biases and position weights are left alone.
    public var l2: Float
    /// The probability with which a token is hidden from an attention or mean probe for a pass
    /// (AdamW); at least one token of a sequence stays. Last-token probes have none.
    public var tokenDropout: Float
    /// The fraction of sequences held out for early stopping, groups kept whole; 0 trains on all of
    /// them for all epochs. Where few groups carry the signal, every group held out is missed more
    /// than early stopping helps (README, Accuracy), so 0 is the default.
    public var validationFraction: Double
    /// Epochs without a lower validation loss after which training stops.
    public var patience: Int
    /// Whether dimensions are brought to mean 0 and standard deviation 1 for training (positions
    /// always are scaled). The probe that results takes hidden states as they are either way.
    public var standardizes: Bool
    /// Whether standardised dimensions are brought to go together no more, too: ZCA whitening of their correlations, with
    /// a part of their mean variance added to each. Needs `standardizes`.
    public var whitens: Bool
    /// How classes of different sizes count.
    public var classWeight: ClassWeight
    /// The seed of every random choice.
    public var seed: UInt64
    /// Threads at most; the result does not depend on it.
    public var threads: Int

    /// Defaults for an optimiser.
    public init(_ optimizer: Optimizer = .adamw) {
        self.optimizer = optimizer
        epochs = optimizer == .adamw ? 30 : 200
        learningRate = ProbeKind.usualLearningRate
        l2 = 1e-2
        tokenDropout = 0.5
        validationFraction = 0
        patience = 10
        standardizes = true
        whitens = false
        classWeight = .none
        seed = 0
        threads = .max
    }

    /// Sequences of a minibatch of so many training sequences: 32, of small sets fewer, down to 4, so that
    /// a pass has about 25 steps. With 32 of 200 documents training ended before the probe was good: on
    /// eight samples of 200 of 1000 documents, 8 gave an AUROC of 0.945 on others where 32 gave 0.939.
    package func batchSize(for count: Int) -> Int { batchSize ?? min(32, max(4, count / 25)) }

    /// Everything that a result depends on, as text that stays the same from version to version: what journals know
    /// trials by. Neither the seed, which a selection gives each trial, nor the threads are in it.
    var key: String {
        "\(optimizer.rawValue) epochs \(epochs) batch \(batchSize.map { String($0) } ?? "auto") rate \(learningRate) "
            + "l2 \(l2) dropout \(tokenDropout) validation \(validationFraction) patience \(patience) "
            + "standardize \(standardizes) weights \(classWeight.rawValue)" + (whitens ? " whitened" : "")
    }

    /// The defaults for a kind of probe and a task.
    ///
    /// - Parameter optimizer: nil for the one that suits.
    public static func suited(
        to kind: ProbeKind, _ task: ProbeTask, optimizer: Optimizer? = nil
    ) -> TrainingOptions {
        var options = TrainingOptions(optimizer ?? .suited(to: kind, task))
        options.learningRate = kind.learningRate
        return options
    }
}

extension Optimizer {
    /// The optimiser that training takes when none is chosen: AdamW for probes that classify and whose loss has
    /// many optima. L-BFGS where it is convex, so that it finds the one optimum, or the kind asks for it; and for regression, where targets of
    /// any scale make a learning rate hard to choose.
    package static func suited(to kind: ProbeKind, _ task: ProbeTask) -> Optimizer {
        if case .regression = task { return .lbfgs }
        return kind.usualOptimizer
    }
}

/// How far training has come.
public struct TrainingProgress: Sendable, Equatable {
    /// The epoch (AdamW) or iteration (L-BFGS) that has ended, from 1; 0 for the start, where L-BFGS
    /// found nothing to gain.
    public let epoch: Int
    /// How many there will be at most.
    public let epochs: Int
    /// How much of the epoch was done: 1, but for the last of a training that was interrupted in the middle of it.
    package let fraction: Double
    /// Mean loss over the training sequences: of the epoch's minibatches as they were met (AdamW),
    /// or at the point reached (L-BFGS). Without the penalty.
    public let loss: Double
    /// λ/2·Σw² at the point reached.
    package let penalty: Double
    /// Mean loss over the validation sequences; nil without any.
    public let validationLoss: Double?
    /// The epoch with the lowest validation loss so far (without validation, the last).
    public let bestEpoch: Int
}

/// Why training ended.
public enum TrainingStop: String, Sendable {
    /// All epochs of AdamW were done.
    case finished
    /// The gradient is zero to within the tolerance.
    case converged
    /// L-BFGS did not get there: all iterations were done, or no step lowered the loss any more while its gradient
    /// was still large.
    case unconverged = "did not converge"
    /// The validation loss had not fallen for `patience` epochs.
    case earlyStopping = "early stopping"
    /// The caller asked for it.
    case interrupted
}
