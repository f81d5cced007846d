import AttentionProbes
@testable import ProbeMetrics
import Testing

@Suite("Constant predictions")
struct ConstantPredictionTests {
    private func best(_ task: ProbeTask, _ targets: Targets, _ metrics: [Metric]) -> [Double?] {
        let constants = Outcomes.constants(task, targets)
        return metrics.map { Outcomes.constantValue($0, constants) }
    }

    private func expectEqual(_ found: [Double?], _ expected: [Double]) {
        #expect(found.count == expected.count)
        for (found, expected) in zip(found, expected) {
            #expect(abs((found ?? .nan) - expected) < 1e-5, "\(String(describing: found)), not \(expected)")
        }
    }

    // One of four is positive: scikit-learn's DummyClassifier has accuracy 3/4 by the most frequent class, F1
    // 2p/(1+p) where it always says yes, average precision p, and the loss is the entropy of p.
    @Test func twoClasses() {
        let found = best(
            .binary(classes: ["no", "yes"]), .classes([0, 0, 1, 0]),
            [.accuracy, .f1, .auroc, .averagePrecision, .loss, .brierScore, .recallAt5FPR])
        expectEqual(found, [0.75, 0.4, 0.5, 0.25, 0.5623351446, 0.1875, 0])
    }

    @Test func oneClassAlone() {
        let task = ProbeTask.binary(classes: ["no", "yes"])
        expectEqual(best(task, .classes([1, 1]), [.accuracy, .f1, .loss]), [1, 1, 0])
        #expect(best(task, .classes([1, 1]), [.auroc]) == [nil])
    }

    // Two of four are of the first class: macro F1 is that class's 2/3, over three classes.
    @Test func severalClasses() {
        let found = best(
            .multiclass(classes: ["a", "b", "c"]), .classes([0, 0, 1, 2]),
            [.accuracy, .balancedAccuracy, .f1, .auroc, .loss])
        expectEqual(found, [0.5, 1.0 / 3, 2.0 / 9, 0.5, 1.0397207708])
    }

    // The first label is in three of four sequences, the second in one: always saying the first has F1 6/7, the second 2/5.
    @Test func severalLabels() {
        let values = Matrix(rows: 4, columns: 2, storage: [1, 0, 1, 0, 1, 1, 0, 0])
        let found = best(.multilabel(classes: ["a", "b"]), .values(values), [.f1, .auroc])
        expectEqual(found, [(6.0 / 7 + 2.0 / 5) / 2, 0.5])
    }

    @Test func numbers() {
        let values = Matrix(rows: 4, columns: 1, storage: [1, 2, 3, 6])
        expectEqual(best(.regression(outputs: 1), .values(values), [.meanSquaredError, .r2]), [3.5, 0])
    }
}
