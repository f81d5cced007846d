/// Predictions of about the same confidence, and how many of them came true: a point of a reliability
/// diagram (Murphy and Winkler, 1977).
package struct ReliabilityBin: Sendable, Equatable {
    /// The confidences that belong to it: from `lower`, below `upper`; the last bin takes 1, too.
    package let lower, upper: Double
    /// How many predictions it has; at least one.
    package let count: Int
    /// The sum of their weights; without weights as many as there are.
    package let weight: Double
    /// Their mean confidence.
    package let confidence: Double
    /// The fraction of them that came true.
    package let fraction: Double

    /// The fraction with its interval; nil where weights or soft labels make it no fraction of sequences.
    package var rate: ObservedRate? {
        let right = (fraction * Double(count)).rounded()
        guard weight == Double(count), abs(right - fraction * Double(count)) < 1e-6 else { return nil }
        return ObservedRate(Int(right), of: count)
    }

    /// The bins of equal width that have predictions, the least confident first.
    ///
    /// - Parameters:
    ///   - confidences: from 0 to 1.
    ///   - isRight: whether what the confidence is about came true.
    ///   - weights: how much each counts; nil for all alike.
    /// - Precondition: one outcome a confidence, and one weight.
    package static func bins(
        _ confidences: [Float], _ isRight: [Bool], weights: [Float]? = nil, count: Int = 10
    ) -> [ReliabilityBin] {
        bins(confidences, outcomes: isRight.map { $0 ? 1 : 0 }, weights: weights, count: count)
    }

    /// The same where an outcome may be a probability: of soft labels, that of the class.
    ///
    /// - Parameter outcomes: from 0 to 1; their mean is the fraction of a bin.
    package static func bins(
        _ confidences: [Float], outcomes: [Float], weights: [Float]? = nil, count: Int = 10
    ) -> [ReliabilityBin] {
        precondition(confidences.count == outcomes.count, "one outcome a confidence")
        var sums = Array(repeating: (count: 0, weight: 0.0, confidence: 0.0, right: 0.0), count: count)
        for (i, (confidence, outcome)) in zip(confidences, outcomes).enumerated() {
            let bin = min(count - 1, Int(confidence * Float(count)))
            let weight = weights.map { Double($0[i]) } ?? 1
            sums[bin].count += 1
            sums[bin].weight += weight
            sums[bin].confidence += weight * Double(confidence)
            sums[bin].right += weight * Double(outcome)
        }
        return sums.indices.filter { sums[$0].count > 0 }.map { bin in
            ReliabilityBin(
                lower: Double(bin) / Double(count), upper: Double(bin + 1) / Double(count),
                count: sums[bin].count, weight: sums[bin].weight,
                confidence: sums[bin].confidence / sums[bin].weight,
                fraction: sums[bin].right / sums[bin].weight)
        }
    }
}
