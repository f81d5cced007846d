// Metrics of a ranking: how well scores put positives above negatives. Definitions, ties included,
// are scikit-learn's, weights its `sample_weight`; sequences of equal score are one threshold.

/// Sequences by falling score, sorted once, so that every sample of them is ranked without sorting.
struct Ranking: Sendable {
    // The number of a sequence, and in the two lowest bits whether it is the last of equal score and
    // whether it is positive: a sample is one pass over them.
    private let places: [UInt32]

    /// - Precondition: as many scores as labels, fewer than 2^30. O(n log n).
    init(scores: [Float], isPositive: [Bool]) {
        precondition(scores.count == isPositive.count, "one label a score")
        precondition(scores.count < 1 << 30, "numbers of 30 bits")
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        places = order.enumerated().map { rank, index in
            let isLastOfTie = rank == order.count - 1 || scores[order[rank + 1]] != scores[index]
            return UInt32(index) << 2 | (isLastOfTie ? 2 : 0) | (isPositive[index] ? 1 : 0)
        }
    }

    /// Tells of every score from the highest down how many positives and negatives are at or above it,
    /// and a sequence that has it. O(n).
    ///
    /// - Parameter counts: how often each sequence is in the sample.
    @inline(__always)
    func forEachThreshold(_ counts: [UInt32], _ body: (_ trues: Int, _ falses: Int, _ index: Int) -> Void) {
        var (trues, all) = (0, 0)
        for place in places {
            let index = Int(place >> 2)
            let count = Int(counts[index])
            all &+= count
            trues &+= count & (0 &- Int(place & 1))
            if place & 2 != 0 { body(trues, all &- trues, index) }
        }
    }

    /// The same where each sequence counts as much as its weight.
    func forEachThreshold(
        _ weights: [Float], _ body: (_ trues: Double, _ falses: Double, _ index: Int) -> Void
    ) {
        var (trues, falses) = (0.0, 0.0)
        for place in places {
            let index = Int(place >> 2)
            if place & 1 != 0 { trues += Double(weights[index]) } else { falses += Double(weights[index]) }
            if place & 2 != 0 { body(trues, falses, index) }
        }
    }

    /// The areas under the curves where each sequence counts as much as its weight. O(n).
    func areas(_ weights: [Float]) -> RankingAreas {
        var areas = RankingAreas()
        forEachThreshold(weights) { trues, falses, _ in areas.add(trues, falses) }
        return areas
    }

    /// The areas under the curves of a sample. O(n).
    func areas(_ counts: [UInt32]) -> RankingAreas {
        var areas = RankingAreas()
        forEachThreshold(counts) { trues, falses, _ in areas.add(Double(trues), Double(falses)) }
        return areas
    }
}

/// The two areas under the curves of a ranking, found while its threshold falls.
struct RankingAreas {
    private var (trues, falses, doubledArea, gains) = (0.0, 0.0, 0.0, 0.0)

    /// Takes the positives and negatives at or above the next threshold, or the sums of their weights.
    mutating func add(_ trues: Double, _ falses: Double) {
        doubledArea += (falses - self.falses) * (trues + self.trues)
        // Without a branch, which could not be foretold; where nothing is above, nothing is gained.
        gains += (trues - self.trues) * trues / max(trues + falses, .leastNormalMagnitude)
        (self.trues, self.falses) = (trues, falses)
    }

    /// See `RankingCurve.auroc`.
    var auroc: Double? { trues > 0 && falses > 0 ? doubledArea / (2 * trues * falses) : nil }

    /// See `RankingCurve.averagePrecision`. Rounding may carry the sum of a perfect ranking past 1.
    var averagePrecision: Double? { trues > 0 ? min(gains / trues, 1) : nil }
}

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
    package init(scores: [Float], isPositive: [Bool], weights: [Float]? = nil) {
        precondition(weights.map { $0.count == scores.count } ?? true, "one weight a score")
        let ranking = Ranking(scores: scores, isPositive: isPositive)
        if let weights {
            self.init(ranking, scores: scores, weights: weights)
        } else {
            self.init(ranking, scores: scores, counts: Array(repeating: 1, count: scores.count))
        }
    }

    /// The curve of a sample. O(n).
    ///
    /// - Parameters:
    ///   - scores: those that were ranked.
    ///   - counts: how often each sequence is in the sample.
    init(_ ranking: Ranking, scores: [Float], counts: [UInt32]) {
        var points: [Point] = []
        ranking.forEachThreshold(counts) { points.append((Double($0), Double($1), scores[$2])) }
        self.init(points)
    }

    /// The curve where each sequence counts as much as its weight. O(n).
    init(_ ranking: Ranking, scores: [Float], weights: [Float]) {
        var points: [Point] = []
        ranking.forEachThreshold(weights) { points.append(($0, $1, scores[$2])) }
        self.init(points)
    }

    private typealias Point = (trues: Double, falses: Double, threshold: Float)

    private init(_ points: [Point]) {
        truePositives = points.map(\.trues)
        falsePositives = points.map(\.falses)
        thresholds = points.map(\.threshold)
    }

    /// How many positives there are, or the sum of their weights.
    var positives: Double { truePositives.last ?? 0 }
    /// How many negatives there are, likewise.
    var negatives: Double { falsePositives.last ?? 0 }

    private var areas: RankingAreas {
        zip(truePositives, falsePositives).reduce(into: RankingAreas()) { $0.add($1.0, $1.1) }
    }

    /// Area under the ROC curve: the probability that a positive scores above a negative, ties
    /// counted half (`roc_auc_score`). nil without both classes.
    public var auroc: Double? { areas.auroc }

    /// Σ over thresholds of precision times the gain in recall (`average_precision_score`). nil
    /// without positives.
    public var averagePrecision: Double? { areas.averagePrecision }

    /// The highest recall of a threshold with at most this fraction of negatives above it; 0 if there
    /// is none. nil without both classes.
    public func recall(atFalsePositiveRate rate: Double) -> Double? {
        guard positives > 0, negatives > 0 else { return nil }
        // Both rise while the threshold falls. Divided, as the rate was: 0.29 · 100 is less than 29.
        let last = falsePositives.lastIndex { $0 / negatives <= rate }
        return (last.map { truePositives[$0] } ?? 0) / positives
    }
}
