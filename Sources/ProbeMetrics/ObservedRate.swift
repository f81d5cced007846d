/// A fraction of sequences with its 95 % interval (Clopper and Pearson, 1934), which counts sequences as independent.
public struct ObservedRate: Sendable, Equatable, Encodable {
    /// How many of them.
    public let flagged: Int
    /// How many there are.
    public let sequences: Int
    /// Their quotient.
    public let value: Double
    /// The ends of the interval.
    public let low, high: Double

    /// nil of no sequences.
    package init?(_ flagged: Int, of sequences: Int) {
        guard sequences > 0 else { return nil }
        (self.flagged, self.sequences, value) = (flagged, sequences, Double(flagged) / Double(sequences))
        high = clopperPearsonUpperBound(flagged, of: sequences, confidence: 0.975)
        low = 1 - clopperPearsonUpperBound(sequences - flagged, of: sequences, confidence: 0.975)
    }
}

/// What a binary probe does with its threshold: how many of each class reach it.
public struct ThresholdRates: Sendable, Equatable, Encodable {
    /// The fraction of positives that reach the threshold; nil without positives.
    public let recall: ObservedRate?
    /// The fraction of negatives that reach it; nil without negatives.
    public let falsePositiveRate: ObservedRate?

    private enum CodingKeys: String, CodingKey {
        case recall
        case falsePositiveRate = "false_positive_rate"
    }

    /// The rates of two classes, of which the second is the positive one; nil of another number of classes.
    package init?(_ matrix: ConfusionMatrix) {
        guard matrix.counts.count == 2 else { return nil }
        let (negatives, positives) = (matrix.counts[0], matrix.counts[1])
        recall = ObservedRate(positives[1], of: positives[0] + positives[1])
        falsePositiveRate = ObservedRate(negatives[1], of: negatives[0] + negatives[1])
    }
}
