private import Glibc
import Tensors

/// Metrics of one class against all others.
public struct ClassMetrics: Sendable, Encodable {
    /// The class's name.
    public let name: String
    /// How many sequences are labelled with it.
    public let sequences: Int
    /// TP / (TP + FP); 0 where nothing is predicted so.
    public let precision: Double
    /// TP / (TP + FN); 0 where nothing is labelled so.
    public let recall: Double
    /// F1; 0 where nothing is labelled or predicted so.
    public let f1: Double
    /// Area under the ROC curve; nil where all sequences are of the class, or none.
    public let auroc: Double?
    /// Average precision; nil where no sequence is of the class.
    public let averagePrecision: Double?
    // The sequences by the logit of the class, for multiclass by its odds against all others.
    private let ranked: ClassRanking

    /// What the sequences are ranked by, N values: the logit of the class, and for multiclass the
    /// logarithm of its odds against all others.
    package var scores: [Float] { ranked.scores }
    /// Which sequences are labelled with it, N values.
    package var isLabelled: [Bool] { ranked.isLabelled }

    private enum CodingKeys: String, CodingKey {
        case name, sequences, precision, recall, f1, auroc
        case averagePrecision = "average_precision"
    }

    /// Encodes the metrics alone; an area that is not there as null.
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

    /// Those of the second class (binary) or of each class (multiclass, multilabel); none for regression.
    package static func all(_ outcomes: Outcomes, threads: Int) throws -> [ClassMetrics] {
        let names = outcomes.task.positiveClass.map { [$0] } ?? outcomes.task.classes ?? []
        return try Parallel.map(count: outcomes.rankings.count, threads: threads) { c in
            let index = outcomes.task.isBinary ? 1 : c
            return ClassMetrics(
                name: names[c], outcomes.rankings[c](),
                isPredicted: outcomes.predictions.map { $0.contains(index) })
        }
    }

    private init(name: String, _ ranked: ClassRanking, isPredicted: [Bool]) {
        self.ranked = ranked
        let hits = Double(zip(ranked.isLabelled, isPredicted).count { $0 && $1 })
        let predicted = isPredicted.count { $0 }
        let areas = ranked.order.areas(Array(repeating: UInt32(1), count: isPredicted.count))
        self.name = name
        sequences = ranked.isLabelled.count { $0 }
        precision = hits / Double(max(1, predicted))
        recall = hits / Double(max(1, sequences))
        f1 = f1Score(named: Double(sequences + predicted), hits: hits)
        auroc = areas.auroc
        averagePrecision = areas.averagePrecision
    }

    /// The ranking of the sequences by this class's scores. O(n).
    package var ranking: RankingCurve {
        RankingCurve(
            ranked.order, scores: scores, counts: Array(repeating: 1, count: scores.count))
    }

    /// The logarithm of each class's odds, p / (1 - p) with p = softmax(logits), without overflow or
    /// cancellation; 0 for a class alone. O(classes).
    package static func logOdds(_ logits: [Float]) -> [Float] {
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
