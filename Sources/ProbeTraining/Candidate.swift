public import Probes
import Tensors

/// A kind of probe and a way to train it, that selection may choose.
public struct Candidate: Sendable, Equatable {
    /// The probe.
    public var configuration: ProbeConfiguration
    /// How it is trained; seed and threads are selection's.
    public var options: TrainingOptions

    /// A candidate.
    public init(_ configuration: ProbeConfiguration, _ options: TrainingOptions) {
        self.configuration = configuration
        self.options = options
    }

    /// "attention, 8 heads, dropout 0": its kind, and what differs from how that is usually trained.
    public var name: String {
        let kind = configuration.kind
        var parts = [kind.rawValue]
        parts += kind.hyperparameters.compactMap { $0.key.label(configuration[$0.key]) }
        if configuration.attention != .softmax { parts.append(configuration.attention.rawValue) }
        if kind.isClosedForm { return parts.joined(separator: ", ") }
        let usual = TrainingOptions(options.optimizer)
        if options.optimizer != kind.usualOptimizer { parts.append(options.optimizer.rawValue) }
        if options.l2 != usual.l2 { parts.append("l2 \(options.l2.shortest)") }
        if options.optimizer == .adamw, !kind.readsOneToken, options.tokenDropout != usual.tokenDropout {
            parts.append("dropout \(options.tokenDropout.shortest)")
        }
        if options.whitens { parts.append("whitened") }
        return parts.joined(separator: ", ")
    }

    /// Everything that its results depend on, as text: also the penalties that lie before its own on a
    /// path, as training starts from where those end.
    package func key(among candidates: [Candidate]) -> String {
        let before = candidates.filter { isOnPath(with: $0) && $0.options.l2 > options.l2 }
        return "\(configuration), \(options.key), after \(before.map(\.options.l2).sorted(by: >))"
    }

    /// Whether another differs in nothing but the penalty of a convex loss, so that the optimum of one is
    /// a good start for the other, and the result is the same from any start.
    package func isOnPath(with other: Candidate) -> Bool {
        guard configuration.kind.isConvex, options.optimizer == .lbfgs else { return false }
        var same = other
        same.options.l2 = options.l2
        return same == self
    }

    /// What training sees of the data, where that can be computed once for all folds: the kinds of one
    /// pooled state a sequence.
    package var pooling: Pooling? {
        let kind = configuration.kind
        let hidesTokens =
            options.optimizer == .adamw && options.tokenDropout > 0 && !kind.isClosedForm
            && !kind.readsOneToken
        return hidesTokens ? nil : kind.pooling
    }
}
