/// Figures of the short, the middle or the long third of the sequences: a probe that works on
/// documents of one length may fail on others.
public struct LengthFigures: Sendable, Encodable {
    /// "short", "middle" or "long".
    public let name: String
    /// The least and the most visible tokens of its sequences.
    public let tokens: ClosedRange<Int>
    /// How many sequences it has.
    public let sequences: Int
    /// The share predicted right.
    public let accuracy: Double
    /// Area under the ROC curve (binary); nil where all are of one class.
    public let auroc: Double?

    private enum CodingKeys: String, CodingKey { case name, tokens, sequences, accuracy, auroc }

    /// Encodes the tokens as [least, most], and an area that is not there as null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode([tokens.lowerBound, tokens.upperBound], forKey: .tokens)
        try container.encode(sequences, forKey: .sequences)
        try container.encode(accuracy, forKey: .accuracy)
        try container.encode(auroc, forKey: .auroc)
    }

    /// The thirds of a set by length, the shortest first. Sequences of one length stay together, so that
    /// a third may be larger than others, or missing.
    ///
    /// - Parameter scores: of the second class, for two classes; else nil.
    static func thirds(
        lengths: [Int], labels: [Int], predictions: [Int], scores: [Float]?
    ) -> [LengthFigures] {
        let sorted = lengths.sorted()
        let limits = [sorted[(sorted.count - 1) / 3], sorted[2 * (sorted.count - 1) / 3]]
        let groups = Dictionary(grouping: lengths.indices) { index in
            limits.count { lengths[index] > $0 }
        }
        return ["short", "middle", "long"].enumerated().compactMap { third, name in
            guard let indices = groups[third] else { return nil }
            let own = indices.map { lengths[$0] }
            let right = indices.count { labels[$0] == predictions[$0] }
            let curve = scores.map { scores in
                RankingCurve(
                    scores: indices.map { scores[$0] }, isPositive: indices.map { labels[$0] == 1 })
            }
            return LengthFigures(
                name: name, tokens: own.min()!...own.max()!, sequences: indices.count,
                accuracy: Double(right) / Double(indices.count), auroc: curve?.auroc)
        }
    }
}
