// Figures of a ranking: how well scores put positives above negatives. Definitions, ties included,
// are scikit-learn's; sequences of equal score are one threshold.

/// The points that thresholds on a score can reach, from the highest score down.
public struct RankingCurve: Sendable {
    /// Positives at or above each threshold.
    public let truePositives: [Int]
    /// Negatives at or above each threshold.
    public let falsePositives: [Int]
    /// The thresholds: every score there is, falling.
    public let thresholds: [Float]

    /// - Precondition: as many scores as labels. O(n log n).
    public init(scores: [Float], isPositive: [Bool]) {
        precondition(scores.count == isPositive.count, "one label a score")
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        var truePositives: [Int] = []
        var falsePositives: [Int] = []
        var thresholds: [Float] = []
        var (trues, falses) = (0, 0)
        for (rank, index) in order.enumerated() {
            if isPositive[index] { trues += 1 } else { falses += 1 }
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

    /// How many positives there are.
    var positives: Int { truePositives.last ?? 0 }
    /// How many negatives there are.
    var negatives: Int { falsePositives.last ?? 0 }

    /// Area under the ROC curve: the probability that a positive scores above a negative, ties
    /// counted half (`roc_auc_score`). nil without both classes.
    public var auroc: Double? {
        guard positives > 0, negatives > 0 else { return nil }
        var doubled = 0
        var (trues, falses) = (0, 0)
        for (t, f) in zip(truePositives, falsePositives) {
            doubled += (f - falses) * (t + trues)
            (trues, falses) = (t, f)
        }
        return Double(doubled) / (2 * Double(positives) * Double(negatives))
    }

    /// Σ over thresholds of precision times the gain in recall (`average_precision_score`). nil
    /// without positives.
    public var averagePrecision: Double? {
        guard positives > 0 else { return nil }
        var sum = 0.0
        var trues = 0
        for (t, f) in zip(truePositives, falsePositives) {
            sum += Double(t - trues) / Double(positives) * Double(t) / Double(t + f)
            trues = t
        }
        // Rounding may carry the sum of a perfect ranking past 1.
        return min(sum, 1)
    }

    /// The highest recall of a threshold with at most this share of negatives above it; 0 if there
    /// is none. nil without both classes.
    public func recall(atFalsePositiveRate rate: Double) -> Double? {
        guard positives > 0, negatives > 0 else { return nil }
        var best = 0
        for (t, f) in zip(truePositives, falsePositives) where Double(f) <= rate * Double(negatives) {
            best = max(best, t)
        }
        return Double(best) / Double(positives)
    }
}
