// Figures of a ranking: how well scores put positives above negatives. Definitions, ties included,
// are scikit-learn's, weights its `sample_weight`; sequences of equal score are one threshold.

/// The points that thresholds on a score can reach, from the highest score down.
public struct RankingCurve: Sendable {
    /// Positives at or above each threshold: how many, or the sum of their weights.
    public let truePositives: [Double]
    /// Negatives at or above each threshold, likewise.
    public let falsePositives: [Double]
    /// The thresholds: every score there is, falling.
    public let thresholds: [Float]

    /// - Parameter weights: how much each counts; nil for all alike.
    /// - Precondition: as many scores as labels, and as weights. O(n log n).
    public init(scores: [Float], isPositive: [Bool], weights: [Float]? = nil) {
        precondition(scores.count == isPositive.count, "one label a score")
        precondition(weights.map { $0.count == scores.count } ?? true, "one weight a score")
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        var truePositives: [Double] = []
        var falsePositives: [Double] = []
        var thresholds: [Float] = []
        var (trues, falses) = (0.0, 0.0)
        for (rank, index) in order.enumerated() {
            let weight = weights.map { Double($0[index]) } ?? 1
            if isPositive[index] { trues += weight } else { falses += weight }
            let isLastOfTie = rank == order.count - 1 || scores[order[rank + 1]] != scores[index]
            if isLastOfTie {
                truePositives.append(trues)
                falsePositives.append(falses)
                thresholds.append(scores[index])
            }
        }
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.thresholds = thresholds
    }

    /// How many positives there are, or the sum of their weights.
    var positives: Double { truePositives.last ?? 0 }
    /// How many negatives there are, likewise.
    var negatives: Double { falsePositives.last ?? 0 }

    /// Area under the ROC curve: the probability that a positive scores above a negative, ties
    /// counted half (`roc_auc_score`). nil without both classes.
    public var auroc: Double? {
        guard positives > 0, negatives > 0 else { return nil }
        var doubled = 0.0
        var (trues, falses) = (0.0, 0.0)
        for (t, f) in zip(truePositives, falsePositives) {
            doubled += (f - falses) * (t + trues)
            (trues, falses) = (t, f)
        }
        return doubled / (2 * positives * negatives)
    }

    /// Σ over thresholds of precision times the gain in recall (`average_precision_score`). nil
    /// without positives.
    public var averagePrecision: Double? {
        guard positives > 0 else { return nil }
        var (sum, trues) = (0.0, 0.0)
        for (t, f) in zip(truePositives, falsePositives) {
            sum += (t - trues) / positives * t / (t + f)
            trues = t
        }
        // Rounding may carry the sum of a perfect ranking past 1.
        return min(sum, 1)
    }

    /// The highest recall of a threshold with at most this share of negatives above it; 0 if there
    /// is none. nil without both classes.
    public func recall(atFalsePositiveRate rate: Double) -> Double? {
        guard positives > 0, negatives > 0 else { return nil }
        let reached = zip(truePositives, falsePositives).filter { $1 <= rate * negatives }.map(\.0)
        return (reached.max() ?? 0) / positives
    }
}
