/// Figures of the short, the middle or the long third of the sequences: a probe that works on
/// documents of one length may fail on others.
public struct LengthFigures: Sendable, Encodable {
    /// "short", "middle" or "long".
    public let name: String
    /// The least and the most visible tokens of its sequences.
    public let tokens: ClosedRange<Int>
    /// How many sequences it has.
    public let sequences: Int
    /// The share predicted right (multilabel: in every class); nil for regression.
    public let accuracy: Double?
    /// Area under the ROC curve, see `Evaluation.auroc`; nil for regression and where no class has both
    /// labels.
    public let auroc: Double?
    /// Coefficient of determination (regression); nil where no target varies.
    public let r2: Double?

    private enum CodingKeys: String, CodingKey { case name, tokens, sequences, accuracy, auroc, r2 }

    /// Encodes the tokens as [least, most], and a figure that the task has and these sequences have not
    /// as null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode([tokens.lowerBound, tokens.upperBound], forKey: .tokens)
        try container.encode(sequences, forKey: .sequences)
        if let accuracy {
            try container.encode(accuracy, forKey: .accuracy)
            try container.encode(auroc, forKey: .auroc)
        } else {
            try container.encode(r2, forKey: .r2)
        }
    }

    /// The thirds of a set by length, the shortest first. Sequences of one length stay together, so that
    /// a third may be larger than others, or missing.
    static func thirds(lengths: [Int], _ figures: SampleFigures) -> [LengthFigures] {
        let sorted = lengths.sorted()
        let limits = [sorted[(sorted.count - 1) / 3], sorted[2 * (sorted.count - 1) / 3]]
        let groups = Dictionary(grouping: lengths.indices) { index in
            limits.count { lengths[index] > $0 }
        }
        return ["short", "middle", "long"].enumerated().compactMap { third, name in
            guard let indices = groups[third] else { return nil }
            let own = indices.map { lengths[$0] }
            let found = figures(indices)
            return LengthFigures(
                name: name, tokens: own.min()!...own.max()!, sequences: indices.count,
                accuracy: found["accuracy"], auroc: found["auroc"], r2: found["r2"])
        }
    }
}
