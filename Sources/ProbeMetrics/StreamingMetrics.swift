// How a binary probe does as a monitor that looks after every token: a sequence is flagged as soon as the probability
// of what has been read so far reaches the threshold, that is, if the largest probability of any prefix does. More
// sequences of either class reach a threshold once than end above it, so recall and false positives are those of
// this rule, beside those of finished sequences. Sequences are ranked by logits, in which no calibration makes ties.

/// What a probe says of a sequence while it is read, and at its end.
package struct StreamedSequence: Sendable, Equatable {
    /// The largest logit of any prefix.
    package var largestLogit: Float
    /// The logit of the whole sequence.
    package var lastLogit: Float
    /// Whether the probability of the whole sequence reaches the threshold.
    package var isFlaggedAtTheEnd: Bool
    /// Tokens that had been read when the probability first reached the threshold; nil where it never did.
    package var firstFlag: Int?
    /// Tokens of the sequence.
    package var tokens: Int

    package init(
        largestLogit: Float = -.infinity, lastLogit: Float = -.infinity, isFlaggedAtTheEnd: Bool = false,
        firstFlag: Int? = nil, tokens: Int
    ) {
        (self.largestLogit, self.lastLogit, self.isFlaggedAtTheEnd) = (
            largestLogit, lastLogit, isFlaggedAtTheEnd
        )
        (self.firstFlag, self.tokens) = (firstFlag, tokens)
    }
}

/// Recall, false positives and time of the first flag where a sequence is flagged as soon as a prefix reaches the
/// threshold, beside those of finished sequences.
public struct StreamingMetrics: Sendable, Encodable {
    /// How a rule did with the probe's threshold, and over all thresholds.
    public struct Rule: Sendable, Encodable {
        /// The fraction of positives that are flagged; nil without positives.
        public let recall: ObservedRate?
        /// The fraction of negatives that are flagged; nil without negatives.
        public let falsePositiveRate: ObservedRate?
        /// Positives and negatives flagged at every threshold.
        public let curve: RankingCurve

        private enum CodingKeys: String, CodingKey {
            case recall, auroc
            case falsePositiveRate = "false_positive_rate"
        }

        /// The rates with their intervals, and the area under the curve.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(recall, forKey: .recall)
            try container.encodeIfPresent(falsePositiveRate, forKey: .falsePositiveRate)
            try container.encodeIfPresent(curve.auroc, forKey: .auroc)
        }

        init(_ logits: [Float], _ isFlagged: [Bool], _ isPositive: [Bool]) {
            let flags = zip(isFlagged, isPositive).filter(\.0)
            let (positives, flagged) = (isPositive.count { $0 }, flags.count { $0.1 })
            recall = ObservedRate(flagged, of: positives)
            falsePositiveRate = ObservedRate(flags.count - flagged, of: isPositive.count - positives)
            curve = RankingCurve(scores: logits, isPositive: isPositive)
        }
    }

    /// A median with its quartiles, linear between neighbours.
    public struct Quartiles: Sendable, Equatable, Encodable {
        /// A quarter, half and three quarters are at or below these.
        public let lower, median, upper: Double

        init?(_ values: [Double]) {
            guard !values.isEmpty else { return nil }
            let sorted = values.sorted()
            (lower, median, upper) = (quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75))
        }
    }

    /// Recall of either rule with at most a fraction of negatives flagged.
    package struct Point: Sendable, Equatable, Encodable {
        /// The fraction.
        package let falsePositiveRate: Double
        /// Recall while sequences are read, and of finished ones.
        package let recall, finishedRecall: Double

        private enum CodingKeys: String, CodingKey {
            case recall
            case falsePositiveRate = "false_positive_rate"
            case finishedRecall = "finished_recall"
        }
    }

    /// The probability at which a sequence is flagged.
    public let threshold: Double
    /// Sequences that are flagged as soon as any prefix reaches the threshold.
    public let streaming: Rule
    /// Sequences that are flagged if they reach it in the end.
    public let finished: Rule
    /// Of flagged positives, the tokens that had been read at the first flag; nil where none is flagged.
    public let firstFlagTokens: Quartiles?
    /// The same as a fraction of the sequence, up to 1.
    public let firstFlagFraction: Quartiles?
    /// Recall against false positives; empty without both classes.
    package let curve: [Point]

    /// The rates of `curve`.
    static let rates = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]

    private enum CodingKeys: String, CodingKey {
        case threshold, streaming, finished, curve
        case firstFlagTokens = "first_flag_tokens"
        case firstFlagFraction = "first_flag_fraction"
    }

    /// - Precondition: as many labels as sequences.
    package init(_ sequences: [StreamedSequence], isPositive: [Bool], threshold: Double) {
        precondition(sequences.count == isPositive.count, "one label a sequence")
        self.threshold = threshold
        streaming = Rule(sequences.map(\.largestLogit), sequences.map { $0.firstFlag != nil }, isPositive)
        finished = Rule(sequences.map(\.lastLogit), sequences.map(\.isFlaggedAtTheEnd), isPositive)
        let flags = zip(sequences, isPositive).filter { $0.1 }.compactMap { sequence, _ in
            sequence.firstFlag.map { (tokens: Double($0), all: Double(sequence.tokens)) }
        }
        firstFlagTokens = Quartiles(flags.map(\.tokens))
        firstFlagFraction = Quartiles(flags.map { $0.tokens / $0.all })
        let (streamed, ended) = (streaming.curve, finished.curve)
        curve = Self.rates.compactMap { rate in
            guard let recall = streamed.recall(atFalsePositiveRate: rate),
                let finished = ended.recall(atFalsePositiveRate: rate)
            else { return nil }
            return Point(falsePositiveRate: rate, recall: recall, finishedRecall: finished)
        }
    }
}
