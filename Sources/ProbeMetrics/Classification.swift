/// Sequences by label (row) and prediction (column).
public struct ConfusionMatrix: Sendable, Equatable, Encodable {
    /// counts[label][prediction].
    public let counts: [[Int]]

    /// - Precondition: labels and predictions are below `classes`, and as many.
    package init(labels: [Int], predictions: [Int], classes: Int) {
        precondition(labels.count == predictions.count, "one prediction a label")
        var counts = Array(repeating: Array(repeating: 0, count: classes), count: classes)
        for (label, prediction) in zip(labels, predictions) { counts[label][prediction] += 1 }
        self.counts = counts
    }

    /// Encodes the rows.
    public func encode(to encoder: any Encoder) throws { try counts.encode(to: encoder) }

    /// The most frequent mistakes: a label, the prediction in its place, and how often, the most
    /// frequent first.
    package func mistakes(_ count: Int) -> [(label: Int, prediction: Int, count: Int)] {
        let all = counts.enumerated().flatMap { label, row in
            row.enumerated().filter { $0.offset != label && $0.element > 0 }
                .map { (label: label, prediction: $0.offset, count: $0.element) }
        }
        return Array(
            all.sorted { ($1.count, $0.label, $0.prediction) < ($0.count, $1.label, $1.prediction) }
                .prefix(count))
    }
}
