/// Predictions of about the same confidence, and how many of them came true: a point of a reliability
/// diagram (Murphy and Winkler, 1977).
public struct ReliabilityBin: Sendable, Equatable {
    /// The confidences that belong to it: from `lower`, below `upper`; the last bin takes 1, too.
    public let lower, upper: Double
    /// How many predictions it has; at least one.
    public let count: Int
    /// Their mean confidence.
    public let confidence: Double
    /// The share of them that came true.
    public let share: Double

    /// The bins of equal width that have predictions, the least confident first.
    ///
    /// - Parameters:
    ///   - confidences: from 0 to 1.
    ///   - isRight: whether what the confidence is about came true.
    /// - Precondition: one outcome a confidence.
    public static func bins(_ confidences: [Float], _ isRight: [Bool], count: Int = 10) -> [ReliabilityBin] {
        precondition(confidences.count == isRight.count, "one outcome a confidence")
        var sums = Array(repeating: (count: 0, confidence: 0.0, right: 0), count: count)
        for (confidence, isRight) in zip(confidences, isRight) {
            let bin = min(count - 1, Int(confidence * Float(count)))
            sums[bin].count += 1
            sums[bin].confidence += Double(confidence)
            sums[bin].right += isRight ? 1 : 0
        }
        return sums.indices.filter { sums[$0].count > 0 }.map { bin in
            let members = Double(sums[bin].count)
            return ReliabilityBin(
                lower: Double(bin) / Double(count), upper: Double(bin + 1) / Double(count),
                count: sums[bin].count, confidence: sums[bin].confidence / members,
                share: Double(sums[bin].right) / members)
        }
    }
}
