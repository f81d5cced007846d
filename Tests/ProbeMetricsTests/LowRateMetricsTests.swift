import AttentionProbes
import Foundation
@testable import ProbeMetrics
import Testing

// Expected areas up to a rate are scikit-learn's `roc_auc_score(labels, scores, sample_weight=…, max_fpr=…)`, areas on a
// logarithmic axis `scipy.integrate.quad` of `numpy.interp(10**u, fpr, tpr)` between the thresholds of `roc_curve`,
// intervals `scipy.stats.beta.ppf`, all of scikit-learn 1.9 and SciPy 1.16 on the numbers that `Case` makes.
@Suite("Metrics at low rates of false positives")
struct LowRateMetricsTests {
    struct Case: Sendable {
        let count, seed, rarity: Int
        /// Up to 1 %, 10 % and 100 % false positives, and on a logarithmic axis.
        let alike, weighted: [Double]

        var labels: [Bool] { numbers[0].map { $0 % rarity == 0 } }
        /// Forty values and a shift of the positives: many ties.
        var scores: [Float] { zip(numbers[1], labels).map { Float($0 % 40) / 8 + ($1 ? 2 : 0) } }
        var weights: [Float] { numbers[2].map { Float(1 + $0 % 7) / 4 } }

        private var numbers: [[Int]] {
            var number = seed
            let all = (0..<3 * count).map { _ in
                number = (1_103_515_245 * number + 12345) % (1 << 31)
                return number >> 16
            }
            return (0..<3).map { Array(all[$0 * count..<($0 + 1) * count]) }
        }
    }

    static let cases = [
        Case(
            count: 3000, seed: 1, rarity: 3,
            alike: [0.7020412763405505, 0.7083964166672718, 0.8071718167872015, 0.42142807636489077],
            weighted: [0.7051337647179521, 0.7108669426974848, 0.8076314742286097, 0.42741510924391457]),
        Case(
            count: 400, seed: 2, rarity: 2,
            alike: [0.707441702896505, 0.7055432132309719, 0.8127467354995446, 0.425779817774472],
            weighted: [0.7007191291680309, 0.6984185271528193, 0.8166000413962268, 0.41244808932012067]),
        Case(
            count: 60, seed: 3, rarity: 12,
            alike: [0.5979899497487438, 0.5789473684210527, 0.76, 0.2],
            weighted: [0.5566065622228791, 0.5356037151702786, 0.797241020301926, 0.1176470588235294]),
        Case(
            count: 2500, seed: 4, rarity: 300,
            alike: [0.8172681589767017, 0.8290660725373462, 0.8676175170751306, 0.6475160358842271],
            weighted: [0.8564249820531228, 0.8709899138509807, 0.908448987784596, 0.7257004783244627]),
    ]

    @Test(arguments: cases)
    func areasOfTiesWeightsAndFewPositives(own: Case) throws {
        let task = ProbeTask.binary(classes: ["no", "yes"])
        let outcomes = Outcomes(
            task, .classes(own.labels.map { $0 ? 1 : 0 }),
            logits: Matrix(rows: own.count, columns: 1, storage: own.scores))
        let metrics = [0.01, 0.1, 1].map { Metric.partialAUROC(upTo: $0) } + [.logAUROC]
        for (weights, expected) in [(nil, own.alike), (own.weights, own.weighted)] {
            let sample = outcomes.sample(weights: weights)
            for (metric, expected) in zip(metrics, expected) {
                #expect(abs(try #require(metric(sample)) - expected) < 1e-9, "\(metric.key)")
            }
        }
        let sample = outcomes.sample()
        #expect(Metric.partialAUROC(sample) == metrics[1](sample))
        #expect(abs(try #require(Metric.auroc(sample)) - own.alike[2]) < 1e-12)
    }

    @Test func endsOfTheAreas() throws {
        let perfect = RankingCurve(scores: [3, 2, 1, 0], isPositive: [true, true, false, false])
        #expect(perfect.partialAUROC(upTo: 0.01) == 1)
        #expect(abs(try #require(perfect.logAUROC) - 1) < 1e-12)
        let tied = RankingCurve(scores: [1, 1], isPositive: [true, false])
        #expect(abs(try #require(tied.partialAUROC(upTo: 0.1)) - 0.5) < 1e-12)
        // ∫ f d log10 f from 10⁻³ to 10⁻¹, halved.
        #expect(abs(try #require(tied.logAUROC) - 0.099 / log(10) / 2) < 1e-12)
        let one = RankingCurve(scores: [1, 2], isPositive: [true, true])
        #expect(one.partialAUROC(upTo: 0.1) == nil && one.logAUROC == nil)
    }

    @Test func keysNameTheRate() {
        #expect(Metric.partialAUROC.key == "partial_auroc_10_fpr")
        #expect(Metric.partialAUROC(upTo: 0.001).key == "partial_auroc_0_1_fpr")
        #expect(Metric.partialAUROC(upTo: 0.29).name == "AUROC to 29% FPR")
    }

    @Test(arguments: [
        (0, 50, 0.0, 0.07112173646419764), (3, 17, 0.037985068070626, 0.43431787284428397),
        (49, 50, 0.8935304542885001, 0.9994937720169592), (9, 9, 0.6637328831200572, 1.0),
    ])
    func intervalsOfRates(flagged: Int, of sequences: Int, low: Double, high: Double) throws {
        let rate = try #require(ObservedRate(flagged, of: sequences))
        #expect(abs(rate.low - low) < 1e-9 && abs(rate.high - high) < 1e-9, "\(rate)")
        #expect(rate.value == Double(flagged) / Double(sequences))
        #expect(ObservedRate(0, of: 0) == nil)
    }

    @Test func ratesThatTooFewNegativesCannotShow() {
        let words = "0 of 50 negatives: a rate of 1 % cannot be seen here"
        #expect(Metric.recallAt1FPR.invisibility(negatives: 50) == words)
        #expect(Metric.recallAt01FPR.invisibility(negatives: 999)?.contains("0.1 %") == true)
        #expect(Metric.recallAt1FPR.invisibility(negatives: 99) != nil)
        #expect(Metric.recallAt1FPR.invisibility(negatives: 100) == nil)
        #expect(Metric.recallAt5FPR.invisibility(negatives: 20) == nil)
        #expect(Metric.auroc.invisibility(negatives: 3) == nil)
        #expect(Metric.recallAt1FPR.invisibility(negatives: 0) == nil)
    }

    @Test func ratesOfGroups() throws {
        let outcomes = Outcomes(
            .binary(classes: ["no", "yes"]), .classes([1, 1, 0, 0, 1, 0]),
            logits: Matrix(rows: 6, columns: 1, storage: [2, -1, -3, 1, -2, -1]))
        let groups = GroupMetrics.all(["10", "9", "9", "10", "10", "10"], outcomes)
        #expect(groups.map(\.name) == ["9", "10"] && groups.map(\.sequences) == [2, 4])
        #expect(groups.map(\.accuracy.flagged) == [1, 2])
        #expect(groups[0].rates?.recall == ObservedRate(0, of: 1))
        #expect(groups[1].rates?.recall == ObservedRate(1, of: 2))
        #expect(groups[1].rates?.falsePositiveRate == ObservedRate(1, of: 2))
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(groups[1])) as? [String: Any]
        #expect(json?["recall"] as? Double == 0.5 && json?["positives"] as? Int == 2)
        #expect((json?["intervals"] as? [String: [Double]])?["accuracy"]?.count == 2)
        // A group of one class has the rates of that alone.
        let alone = GroupMetrics.all(["a", "b", "b", "b", "b", "b"], outcomes)[0]
        #expect(alone.values.map(\.key) == ["accuracy", "recall"])
    }

    @Test func groupsOfOtherTasks() throws {
        let classes = Outcomes(
            .multiclass(classes: ["a", "b", "c"]), .classes([0, 1, 2]),
            logits: Matrix(rows: 3, columns: 3, storage: [1, 0, 0, 1, 0, 0, 0, 0, 1]))
        #expect(GroupMetrics.all(["x", "x", "y"], classes).map(\.accuracy.value) == [0.5, 1])
        #expect(GroupMetrics.all(["x", "x", "y"], classes).allSatisfy { $0.rates == nil })
        let numbers = Outcomes(
            .regression(outputs: 1), .values(Matrix(rows: 2, columns: 1, storage: [1, 2])),
            logits: Matrix(rows: 2, columns: 1, storage: [1, 2]))
        #expect(GroupMetrics.all(["x", "y"], numbers).isEmpty)
    }
}
