import Activations

/// How classes of different sizes count in the loss.
public enum ClassWeight: String, Sendable, CaseIterable {
    /// Every sequence alike: a larger class counts more.
    case none
    /// Every class alike: sequences of a class of n count N/(classes·n), scikit-learn's
    /// `class_weight="balanced"`.
    case balanced
}

extension ActivationSet {
    /// How much each sequence counts in training, 1 in the mean: the file's `weights` times those of the
    /// classes, of soft labels those that they are cut to; nil where all are alike.
    func trainingWeights(_ classWeight: ClassWeight) -> [Float]? {
        var factors = weights.map { $0.map(Double.init) }
        if classWeight == .balanced, let labels = targets?.hardClasses {
            let sizes = Dictionary(grouping: labels, by: \.self).mapValues(\.count)
            let balanced = labels.map { Double(count) / Double(sizes.count * sizes[$0]!) }
            factors = factors.map { zip($0, balanced).map(*) } ?? balanced
        }
        guard let factors else { return nil }
        let mean = factors.reduce(0, +) / Double(count)
        return factors.map { Float($0 / mean) }
    }
}
