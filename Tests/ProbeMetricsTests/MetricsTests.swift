import AttentionProbes
@testable import ProbeMetrics
import Foundation
import Testing

// Expected values were made with scikit-learn 1.9.
@Suite("Metrics against scikit-learn")
struct MetricsTests {
    private let scores: [Float] = [
        1.8, 0.4, 1, 2.2, 1.9, -1, 1, -0.2, -0.1, 0.4, 0.1, 1.5, 0.8, 0.1, 0.4, 0.3, 1.5, -0.2, 0.3, -0.9,
        -2.6, 0.7,
        0.9, -0.7, 2.3, -1.5, 0, -0.2, 1.5, 1.5,
    ]
    private let labels = [
        0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1,
    ]

    @Test func rankingWithTies() throws {
        let curve = RankingCurve(scores: scores, isPositive: labels.map { $0 == 1 })
        #expect(abs(try #require(curve.auroc) - 0.5217391304347826) < 1e-12)
        #expect(abs(try #require(curve.averagePrecision) - 0.804363023283563) < 1e-12)
        #expect(abs(try #require(curve.recall(atFalsePositiveRate: 0.01)) - 0.13043478260869565) < 1e-12)
        #expect(abs(try #require(curve.recall(atFalsePositiveRate: 0.5)) - 0.4782608695652174) < 1e-12)
    }

    // As many negatives above as the rate allows are allowed; one short of it is not.
    @Test(arguments: [nil, [1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2]] as [[Float]?])
    func recallAtARateThatIsReached(weights: [Float]?) {
        let curve = RankingCurve(
            scores: [6, 5, 4, 3, 2, 1], isPositive: [true, false, true, false, true, false], weights: weights)
        // Of three negatives 0, 1, 2 or 3 are above.
        for (rate, recall) in [(0, 1), (1.0 / 3, 2), (2.0 / 3, 3), (1, 3), (0.33, 1), (0.66, 2)] {
            let found = curve.recall(atFalsePositiveRate: rate)
            #expect(found == Double(recall) / 3, "\(rate)")
        }
    }

    // Whatever share it is: 0.29 · 100 rounds to less than 29.
    @Test func everyRateOfAHundredIsReached() {
        let curve = RankingCurve(
            scores: (0..<200).map { -Float($0) }, isPositive: (0..<200).map { $0 % 2 == 1 })
        for k in 0...100 {
            let recall = curve.recall(atFalsePositiveRate: Double(k) / 100)
            #expect(recall == Double(min(k, 100)) / 100, "\(k)")
        }
    }

    // With sample_weight.
    @Test func rankingWithTiesAndWeights() throws {
        let weights = labels.indices.map { [1, 0.5, 2, 0.25, 3][$0 % 5] as Float }
        let curve = RankingCurve(scores: scores, isPositive: labels.map { $0 == 1 }, weights: weights)
        #expect(abs(try #require(curve.auroc) - 0.6235576923076923) < 1e-12)
        #expect(abs(try #require(curve.averagePrecision) - 0.8801391309453599) < 1e-12)
        #expect(abs(try #require(curve.recall(atFalsePositiveRate: 0.5)) - 0.5307692307692308) < 1e-12)
    }

    @Test func rankingOfOneClass() {
        let curve = RankingCurve(scores: [1, 2], isPositive: [true, true])
        #expect(
            curve.auroc == nil && curve.averagePrecision == 1
                && curve.recall(atFalsePositiveRate: 0.01) == nil)
        #expect(RankingCurve(scores: [1, 1, 1], isPositive: [true, false, true]).auroc == 0.5)
    }

    @Test func severalClasses() throws {
        let labels = [0, 1, 2, 2, 1, 0, 2, 1, 1, 3]
        let predictions = [0, 2, 2, 2, 1, 1, 2, 1, 0, 1]
        let outcomes = Outcomes(
            .multiclass(classes: ["a", "b", "c", "d"]), .classes(labels),
            logits: Matrix(
                rows: 10, columns: 4, storage: predictions.flatMap { p in (0..<4).map { $0 == p ? 1 : 0 } }))
        #expect(
            outcomes.confusionMatrix?.counts == [[1, 1, 0, 0], [1, 2, 1, 0], [0, 0, 3, 0], [0, 1, 0, 0]])
        let sample = outcomes.sample()
        #expect(Metric.accuracy(sample) == 0.6 && Metric.balancedAccuracy(sample) == 0.5)
        #expect(abs(try #require(Metric.f1(sample)) - 0.4642857142857143) < 1e-12)
        let classes = try ClassMetrics.all(outcomes, threads: 1)
        #expect(abs(classes[2].f1 - 0.8571428571428571) < 1e-12 && classes[3].f1 == 0)
    }

    @Test func regression() throws {
        let (predictions, targets): ([Float], [Float]) = ([1.5, -2, 0.25, 4], [1, -1.5, 0.5, 3])
        #expect(abs(try #require(r2Score(predictions, targets)) - 0.8475609756097561) < 1e-12)
        #expect(meanSquaredError(predictions, targets) == 0.390625)
        #expect(r2Score([1, 2], [3, 3]) == nil)
        // The weighted mean of these rounds to another number.
        #expect(r2Score([1, 2, 3], [0.1, 0.1, 0.1], weights: [0.1, 2.9, 2.9]) == nil)
        let weighted = try #require(r2Score(predictions, targets, weights: [1, 0.5, 2, 0.25]))
        #expect(abs(weighted - 0.8030634573304157) < 1e-12)
    }

    @Test func calibration() {
        let probabilities: [Float] = [0.125, 0.25, 0.75, 0.5, 0.875, 0.625]
        let labels = [0, 1, 1, 0, 1, 1]
        #expect(abs(brierScore(probabilities.map { [$0] }, labels) - 0.17447916666666666) < 1e-12)
        let error = expectedCalibrationError(probabilities, labels.map { $0 == 1 })
        #expect(abs(error - 0.3541666666666667) < 1e-12)
        let several: [[Float]] = [
            [0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.25, 0.5], [0.625, 0.25, 0.125],
        ]
        #expect(abs(brierScore(several, [0, 1, 1, 2]) - 0.640625) < 1e-12)
        #expect(expectedCalibrationError([1, 0], [true, false]) == 0)
    }

    @Test func entropies() throws {
        let ratio = try #require(entropyRatio([Float(log(4.0)), 0], tokens: [4, 4]))
        #expect(abs(ratio - 0.5) < 1e-6)
        #expect(entropyRatio([0], tokens: [1]) == nil)
    }
}
