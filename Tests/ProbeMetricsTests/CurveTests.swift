import AttentionProbes
import TestSupport
import Testing

/// Values from scikit-learn's `roc_curve` and `precision_recall_curve` by hand.
@Suite("Curves, bins and histograms")
struct CurveTests {
    @Test func curvesOfATie() {
        let curve = RankingCurve(
            scores: [0.9, 0.7, 0.7, 0.3, 0.1], isPositive: [true, true, false, true, false])
        #expect(curve.roc.map(\.x) == [0, 0, 0.5, 0.5, 1])
        #expect(curve.roc.map(\.y) == [0, 1.0 / 3, 2.0 / 3, 1, 1])
        #expect(curve.roc.map(\.threshold) == [.infinity, 0.9, 0.7, 0.3, 0.1])
        #expect(curve.precisionRecall.map(\.x) == [1.0 / 3, 2.0 / 3, 1, 1])
        #expect(curve.precisionRecall.map(\.y) == [1, 2.0 / 3, 0.75, 0.6])
        let single = RankingCurve(scores: [1, 2], isPositive: [true, true])
        #expect(single.roc.isEmpty && single.precisionRecall.count == 2)
    }

    /// A simplified curve has the area of the whole one.
    @Test func simplifiedCurvesStayNear() {
        let scores = randomFloats(5000, seed: 3)
        let noise = randomFloats(5000, seed: 4)
        let curve = RankingCurve(
            scores: scores, isPositive: scores.indices.map { scores[$0] + noise[$0] > 0.5 })
        let points = curve.roc.simplified(to: 200)
        #expect(points.count <= 200 && points.first == curve.roc.first && points.last == curve.roc.last)
        let area = zip(points, points.dropFirst()).reduce(0.0) {
            $0 + ($1.1.x - $1.0.x) * ($1.0.y + $1.1.y) / 2
        }
        #expect(abs(area - curve.auroc!) < 0.002)
        #expect(points.allSatisfy { curve.roc.contains($0) })
        #expect([CurvePoint]().simplified(to: 2).isEmpty)
    }

    @Test func binsOfConfidence() {
        let bins = ReliabilityBin.bins([0.05, 0.07, 0.95, 1], [false, true, true, true])
        #expect(bins.map(\.count) == [2, 2] && bins.map(\.lower) == [0, 0.9])
        #expect(abs(bins[0].confidence - 0.06) < 1e-7 && bins[0].fraction == 0.5 && bins[1].fraction == 1)
        #expect(
            abs(expectedCalibrationError([0.05, 0.07, 0.95, 1], [false, true, true, true]) - 0.2325) < 1e-7)
    }

    // scipy.stats.binomtest(1, 2).proportion_ci() is 0.0126 to 0.9874.
    @Test func binsHaveIntervals() throws {
        let bins = ReliabilityBin.bins([0.05, 0.07, 0.95], [false, true, true])
        let rate = try #require(bins[0].rate)
        #expect(abs(rate.low - 0.0125791) < 1e-6 && abs(rate.high - 0.9874209) < 1e-6)
        #expect(bins[1].rate?.high == 1)
        // Weights and probabilities are no counts.
        #expect(ReliabilityBin.bins([0.05, 0.07], [false, true], weights: [1, 3])[0].rate == nil)
        #expect(ReliabilityBin.bins([0.05, 0.07], outcomes: [0.2, 0.3])[0].rate == nil)
    }

    @Test func histograms() {
        #expect(Histogram([0, 1, 2, 3, 4], bins: 2).counts == [2, 3])
        #expect(Histogram([5, 5], bins: 3).counts == [2, 0, 0])
        #expect(Histogram([-9, 0.5, 9], bins: 2, range: 0...1).counts == [1, 2])
        #expect(Histogram([], bins: 2, range: 0...1).interval(1) == 0.5...1)
    }
}
