// Figures of predicted classes against labels. Definitions are scikit-learn's, with 0 where it
// warns of a division by zero.

/// Sequences by label (row) and prediction (column).
public struct ConfusionMatrix: Sendable, Equatable, Encodable {
    /// counts[label][prediction].
    public let counts: [[Int]]

    /// - Precondition: labels and predictions are below `classes`, and as many.
    public init(labels: [Int], predictions: [Int], classes: Int) {
        precondition(labels.count == predictions.count, "one prediction a label")
        var counts = Array(repeating: Array(repeating: 0, count: classes), count: classes)
        for (label, prediction) in zip(labels, predictions) { counts[label][prediction] += 1 }
        self.counts = counts
    }

    /// Encodes the rows.
    public func encode(to encoder: any Encoder) throws { try counts.encode(to: encoder) }

    /// The share of sequences on the diagonal (`accuracy_score`).
    public var accuracy: Double {
        let right = counts.indices.reduce(0) { $0 + counts[$1][$1] }
        return Double(right) / Double(max(1, counts.joined().reduce(0, +)))
    }

    /// The mean over the labelled classes of the share predicted right (`balanced_accuracy_score`).
    public var balancedAccuracy: Double {
        let labelled = counts.indices.filter { counts[$0].contains { $0 > 0 } }
        let shares = labelled.map { Double(counts[$0][$0]) / Double(counts[$0].reduce(0, +)) }
        return shares.reduce(0, +) / Double(max(1, shares.count))
    }

    /// The most frequent mistakes: a label, the prediction in its place, and how often, the most
    /// frequent first.
    public func mistakes(_ count: Int) -> [(label: Int, prediction: Int, count: Int)] {
        let all = counts.enumerated().flatMap { label, row in
            row.enumerated().filter { $0.offset != label && $0.element > 0 }
                .map { (label: label, prediction: $0.offset, count: $0.element) }
        }
        return Array(
            all.sorted { ($1.count, $0.label, $0.prediction) < ($0.count, $1.label, $1.prediction) }
                .prefix(count))
    }

    /// 2·TP / (2·TP + FP + FN) of one class (`f1_score`); 0 where nothing is labelled or predicted so.
    public func f1(_ c: Int) -> Double {
        let labelled = counts[c].reduce(0, +)
        let predicted = counts.reduce(0) { $0 + $1[c] }
        return labelled + predicted == 0 ? 0 : 2 * Double(counts[c][c]) / Double(labelled + predicted)
    }

    /// Mean of F1 over the classes that are labelled or predicted (`f1_score(average="macro")`).
    public var macroF1: Double {
        let present = counts.indices.filter { c in
            counts[c].contains { $0 > 0 } || counts.contains { $0[c] > 0 }
        }
        return present.reduce(0) { $0 + f1($1) } / Double(max(1, present.count))
    }
}
