private import Activations

/// Metrics of the short, the middle or the long third of the sequences: a probe that works on
/// documents of one length may fail on others.
public struct LengthMetrics: Sendable, Encodable {
    /// Those that a task has of these: they say most of one third beside another.
    private static let metrics: [Metric] = [.accuracy, .auroc, .r2]

    /// "short", "middle" or "long".
    public let name: String
    /// The least and the most unmasked tokens of its sequences.
    public let tokens: ClosedRange<Int>
    /// How many sequences it has.
    public let sequences: Int
    /// Accuracy and AUROC, for regression R²; nil where these sequences do not define one.
    package let values: [(metric: Metric, value: Double?)]

    /// Encodes the tokens as [least, most], and a metric that these sequences do not define as null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MetricKey.self)
        try container.encode(name, forKey: "name")
        try container.encode([tokens.lowerBound, tokens.upperBound], forKey: "tokens")
        try container.encode(sequences, forKey: "sequences")
        for (metric, value) in values { try container.encode(value, forKey: MetricKey(metric.key)) }
    }

    /// One of the values; nil where there is none.
    public func callAsFunction(_ metric: Metric) -> Double? {
        values.first { $0.metric == metric }?.value
    }

    /// The thirds of a set by length, the shortest first. Sequences of one length stay together, so that
    /// a third may be larger than others, or missing.
    package static func thirds(lengths: [Int], _ outcomes: Outcomes) -> [LengthMetrics] {
        let sorted = lengths.sorted()
        let limits = [sorted[(sorted.count - 1) / 3], sorted[2 * (sorted.count - 1) / 3]]
        let groups = Dictionary(grouping: lengths.indices) { index in
            limits.count { lengths[index] > $0 }
        }
        return ["short", "middle", "long"].enumerated().compactMap { third, name in
            guard let indices = groups[third] else { return nil }
            let own = indices.map { lengths[$0] }
            let sample = Sample(outcomes, indices)
            return LengthMetrics(
                name: name, tokens: own.min()!...own.max()!, sequences: indices.count,
                values: metrics.filter { $0.fits(outcomes.task) }.map { ($0, $0(sample)) })
        }
    }
}
