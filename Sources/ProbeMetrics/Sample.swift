/// Some judged sequences: all, those of about one length, or a resample of the bootstrap, in which a
/// sequence may be several times. What several metrics need of it is found once.
public final class Sample {
    /// All sequences.
    public let outcomes: Outcomes
    /// Which of them it has, at least one; several times where they count several times.
    public let indices: [Int]
    /// How much each of all sequences counts, scikit-learn's `sample_weight`; nil for all alike.
    public let weights: [Float]?

    init(_ outcomes: Outcomes, _ indices: [Int], weights: [Float]? = nil) {
        precondition(!indices.isEmpty, "a sequence")
        self.outcomes = outcomes
        self.indices = indices
        self.weights = weights
    }

    /// The mean of what each sequence has, by its weight.
    ///
    /// - Parameter value: given the number of a sequence among all.
    public func mean(_ value: (Int) -> Double) -> Double {
        guard weights == nil else { return ProbeMetrics.mean(indices, weights: weights, value) }
        return indices.reduce(0) { $0 + value($1) } / Double(indices.count)
    }

    /// Of what all sequences have, that of the sample, in the order of `indices`.
    public func selecting<T>(_ values: [T]) -> [T] { indices.map { values[$0] } }

    // How often each of all sequences is in the sample.
    private lazy var counts: [UInt32] = {
        var counts = [UInt32](repeating: 0, count: outcomes.targets.count)
        for index in indices { counts[index] += 1 }
        return counts
    }()

    // And how much it counts, where weights say so.
    private lazy var weighted: [Float]? = weights.map { zip($0, counts).map { $0 * Float($1) } }

    /// The areas under the curves of the second class (binary) or of each class.
    lazy var areas: [RankingAreas] = outcomes.rankings.map { ranking in
        weighted.map { ranking().order.areas($0) } ?? ranking().order.areas(counts)
    }

    /// The points that thresholds can reach, of the second class (binary) or of each class.
    public private(set) lazy var curves: [RankingCurve] = outcomes.rankings.map { ranking in
        let (order, scores) = (ranking().order, ranking().scores)
        return weighted.map { RankingCurve(order, scores: scores, weights: $0) }
            ?? RankingCurve(order, scores: scores, counts: counts)
    }

    /// Of each class the sums of the weights of the sequences labelled with it, predicted so, and both
    /// (binary, multiclass); else empty.
    lazy var classes: [ClassSums] = {
        guard case .classes(let labels, let predictions, let count) = outcomes.form else { return [] }
        var sums = Array(repeating: ClassSums(), count: count)
        for i in indices {
            let weight = weights.map { Double($0[i]) } ?? 1
            sums[labels[i]].labelled += weight
            sums[predictions[i]].predicted += weight
            if labels[i] == predictions[i] { sums[labels[i]].hits += weight }
        }
        return sums
    }()

    /// The same of a class that a sequence may have beside others.
    ///
    /// - Parameter marks: see `Outcomes.Form`.
    func sums(_ marks: [UInt8]) -> (named: Double, hits: Double) {
        guard let weighted else {
            var (hits, named): (UInt32, UInt32) = (0, 0)
            for (mark, count) in zip(marks, counts) {
                named &+= UInt32(mark) &* count
                hits &+= mark == 2 ? count : 0
            }
            return (Double(named), Double(hits))
        }
        return zip(marks, weighted).reduce(into: (0, 0)) { sums, pair in
            sums.0 += Double(pair.0) * Double(pair.1)
            sums.1 += pair.0 == 2 ? Double(pair.1) : 0
        }
    }
}

/// How many sequences are labelled with a class, predicted so, and both, or the sums of their weights.
struct ClassSums { var labelled = 0.0, predicted = 0.0, hits = 0.0 }
