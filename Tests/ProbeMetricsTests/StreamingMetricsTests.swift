import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Metrics of sequences that are flagged while they are read")
struct StreamingMetricsTests {
    // Ranked by these numbers, with a threshold of 0.5.
    private func sequence(_ largest: Float, _ last: Float, _ flag: Int?, of tokens: Int) -> StreamedSequence {
        StreamedSequence(
            largestLogit: largest, lastLogit: last, isFlaggedAtTheEnd: last >= 0.5, firstFlag: flag,
            tokens: tokens)
    }

    // Two of three positives reach 0.5 in between, one of them in the end; one of two negatives does in between.
    private var metrics: StreamingMetrics {
        StreamingMetrics(
            [
                sequence(0.9, 0.8, 4, of: 10), sequence(0.6, 0.3, 10, of: 20), sequence(0.4, 0.4, nil, of: 5),
                sequence(0.5, 0.2, 3, of: 6), sequence(0.1, 0.1, nil, of: 7),
            ], isPositive: [true, true, true, false, false], threshold: 0.5)
    }

    @Test func byHand() throws {
        let metrics = metrics
        let (streaming, finished) = (metrics.streaming, metrics.finished)
        #expect(streaming.recall?.flagged == 2 && streaming.recall?.sequences == 3)
        #expect(streaming.falsePositiveRate?.value == 0.5 && finished.falsePositiveRate?.value == 0)
        #expect(finished.recall?.flagged == 1)
        // Of six pairs the negative at 0.5 is above the positive at 0.4; in the end 0.2 is below all.
        #expect(streaming.curve.auroc == 5.0 / 6 && finished.curve.auroc == 1)
        // 4 and 10 tokens of 10 and 20; a negative's flag has no part in it.
        let (tokens, fraction) = try (
            #require(metrics.firstFlagTokens), #require(metrics.firstFlagFraction)
        )
        #expect((tokens.lower, tokens.median, tokens.upper) == (5.5, 7, 8.5))
        #expect(abs(fraction.lower - 0.425) < 1e-12 && (fraction.median, fraction.upper) == (0.45, 0.475))
        let none = try #require(metrics.curve.first)
        #expect((none.falsePositiveRate, none.recall, none.finishedRecall) == (0, 2.0 / 3, 1))
        #expect(metrics.curve.last?.recall == 1)
    }

    /// `scipy.stats.binomtest(k, n).proportion_ci(method="exact")`.
    @Test func intervals() throws {
        func rate(_ flagged: Int, of count: Int) throws -> ObservedRate {
            let sequences = (0..<count).map { sequence(0, 0, $0 < flagged ? 1 : nil, of: 1) }
            return try #require(
                StreamingMetrics(sequences, isPositive: Array(repeating: true, count: count), threshold: 0.5)
                    .streaming.recall)
        }
        for (k, n, low, high) in [
            (0, 50, 0.0, 0.07112173850491466), (46, 50, 0.8076572263281208, 0.9777720367861812),
            (50, 50, 0.9288782614950854, 1.0),
        ] {
            let rate = try rate(k, of: n)
            #expect(abs(rate.low - low) < 1e-4 && abs(rate.high - high) < 1e-4, "\(rate)")
        }
    }

    @Test func withoutOneClass() throws {
        let metrics = StreamingMetrics(
            [sequence(0.9, 0.9, 1, of: 2)], isPositive: [false], threshold: 0.5)
        #expect(metrics.streaming.recall == nil && metrics.curve.isEmpty && metrics.firstFlagTokens == nil)
    }

    @Test func asJSON() throws {
        let text = try String(decoding: JSONEncoder().encode(metrics), as: UTF8.self)
        for key in [
            "threshold", "streaming", "finished", "curve", "first_flag_tokens", "first_flag_fraction",
            "false_positive_rate", "recall", "finished_recall", "auroc", "flagged", "low", "high", "median",
        ] { #expect(text.contains("\"\(key)\":"), "\(key) in \(text)") }
    }

    @Test func rulesSayWhatTheyAreFor() throws {
        let negatives = (0..<100).map { Float($0) / 100 }
        for isStreaming in [false, true] {
            let (threshold, rule) = try ThresholdRule.threshold(
                falsePositiveRate: 0.1, confidence: 0.95, negatives: negatives, isStreaming: isStreaming)
            #expect(rule.isStreaming == isStreaming && rule.falsePositives == 4 && threshold > 0.95)
            let data = try JSONEncoder().encode(rule)
            #expect(String(decoding: data, as: UTF8.self).contains("streaming") == isStreaming)
            #expect(try JSONDecoder().decode(ThresholdRule.self, from: data) == rule)
        }
    }
}
