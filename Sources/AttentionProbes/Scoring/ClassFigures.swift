private import Foundation

/// Figures of one class against all others.
public struct ClassFigures: Sendable, Encodable {
    /// The class's name.
    public let name: String
    /// How many sequences are labelled with it.
    public let sequences: Int
    /// TP / (TP + FP); 0 where nothing is predicted so.
    public let precision: Double
    /// TP / (TP + FN); 0 where nothing is labelled so.
    public let recall: Double
    /// F1, see `ConfusionMatrix.f1`.
    public let f1: Double
    /// Area under the ROC curve; nil where all sequences are of the class, or none.
    public let auroc: Double?
    /// Average precision; nil where no sequence is of the class.
    public let averagePrecision: Double?
    /// What the sequences are ranked by, N values: the logit of the class, and for multiclass the
    /// logarithm of its odds against all others.
    public let scores: [Float]
    /// Which sequences are labelled with it, N values.
    public let isLabelled: [Bool]
    /// The sequences by `scores`.
    let order: Ranking

    private enum CodingKeys: String, CodingKey {
        case name, sequences, precision, recall, f1, auroc
        case averagePrecision = "average_precision"
    }

    /// Encodes the figures alone; an area that is not there as null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(sequences, forKey: .sequences)
        try container.encode(precision, forKey: .precision)
        try container.encode(recall, forKey: .recall)
        try container.encode(f1, forKey: .f1)
        try container.encode(auroc, forKey: .auroc)
        try container.encode(averagePrecision, forKey: .averagePrecision)
    }

    /// - Precondition: one score, label and prediction a sequence.
    init(name: String, scores: [Float], isLabelled: [Bool], isPredicted: [Bool]) {
        let matrix = ConfusionMatrix(
            labels: isLabelled.map { $0 ? 1 : 0 }, predictions: isPredicted.map { $0 ? 1 : 0 }, classes: 2)
        let right = Double(matrix.counts[1][1])
        let predicted = matrix.counts[0][1] + matrix.counts[1][1]
        let order = Ranking(scores: scores, isPositive: isLabelled)
        let areas = order.areas(Array(repeating: 1, count: scores.count))
        self.name = name
        self.scores = scores
        self.isLabelled = isLabelled
        self.order = order
        sequences = matrix.counts[1][0] + matrix.counts[1][1]
        precision = right / Double(max(1, predicted))
        recall = right / Double(max(1, sequences))
        f1 = matrix.f1(1)
        auroc = areas.auroc
        averagePrecision = areas.averagePrecision
    }

    /// The ranking of the sequences by this class's scores. O(n).
    public var ranking: RankingCurve {
        RankingCurve(order, scores: scores, counts: Array(repeating: 1, count: scores.count))
    }

    /// The logarithm of each class's odds, p / (1 - p) with p = softmax(logits), without overflow or
    /// cancellation; 0 for a class alone. O(classes).
    static func logOdds(_ logits: [Float]) -> [Float] {
        guard logits.count > 1 else { return [0] }
        let top = logits.indices.max { logits[$0] < logits[$1] }!
        let shifted = logits.map { exp(Double($0) - Double(logits[top])) }
        let others = shifted.indices.reduce(0) { $0 + ($1 == top ? 0 : shifted[$1]) }
        let largest = logits.indices.filter { $0 != top }.map { logits[$0] }.max()!
        let tail = logits.indices.reduce(0.0) {
            $0 + ($1 == top ? 0 : exp(Double(logits[$1]) - Double(largest)))
        }
        return logits.indices.map { c in
            // Beside the top class all others may be too small to see, so they are added up alone.
            if c == top { return Float(Double(logits[c]) - Double(largest) - log(tail)) }
            return Float(Double(logits[c]) - Double(logits[top]) - log(1 + others - shifted[c]))
        }
    }
}
