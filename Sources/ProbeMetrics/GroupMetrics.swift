/// Metrics of the sequences of one group: a probe that works on most may fail on one kind of them.
public struct GroupMetrics: Sendable, Encodable {
    /// What the group is called.
    public let name: String
    /// How many sequences it has.
    public let sequences: Int
    /// The fraction that is right, with several labels in every class.
    public let accuracy: ObservedRate
    /// Of a binary task what reaches the threshold; nil of others.
    public let rates: ThresholdRates?

    /// The rates with their intervals, by their names in JSON; without those that the group does not have.
    package var values: [(key: String, rate: ObservedRate)] {
        [
            ("accuracy", accuracy), ("recall", rates?.recall),
            ("false_positive_rate", rates?.falsePositiveRate),
        ].compactMap { key, rate in rate.map { (key, $0) } }
    }

    /// Encodes the rates as numbers, and beside them their intervals and how many sequences are positive.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MetricKey.self)
        try container.encode(name, forKey: "name")
        try container.encode(sequences, forKey: "sequences")
        if let rates { try container.encode(rates.recall?.sequences ?? 0, forKey: "positives") }
        for (key, rate) in values { try container.encode(rate.value, forKey: MetricKey(key)) }
        let intervals = Dictionary(
            uniqueKeysWithValues: values.map { ($0.key, [$0.rate.low, $0.rate.high]) })
        try container.encode(intervals, forKey: "intervals")
    }

    /// Those of every group, by name, names that are numbers by their size; none for regression.
    ///
    /// - Parameter names: the group of each sequence.
    /// - Precondition: as many as there are sequences.
    package static func all(_ names: [String], _ outcomes: Outcomes) -> [GroupMetrics] {
        precondition(names.count == outcomes.targets.count, "one group a sequence")
        guard !outcomes.isRight.isEmpty else { return [] }
        let groups = Dictionary(grouping: names.indices) { names[$0] }
        return groups.sorted { isBefore($0.key, $1.key) }.map { name, indices in
            GroupMetrics(
                name: name, sequences: indices.count,
                accuracy: ObservedRate(indices.count { outcomes.isRight[$0] }, of: indices.count)!,
                rates: outcomes.task.isBinary
                    ? outcomes.confusionMatrix(of: indices).flatMap(ThresholdRates.init) : nil)
        }
    }

    private static func isBefore(_ one: String, _ other: String) -> Bool {
        guard let first = Double(one), let second = Double(other) else { return one < other }
        return (first, one) < (second, other)
    }
}
