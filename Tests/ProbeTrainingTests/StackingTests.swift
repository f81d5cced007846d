import AttentionProbes
import Foundation
import ProbeTraining
import Tensors
import TestSupport
import Testing

@Suite("Weights of several probes")
struct StackingTests {
    private let count = 60

    private func outputs(_ probes: Int, _ columns: Int) -> [Matrix] {
        (0..<probes).map {
            Matrix(
                rows: count, columns: columns, storage: randomFloats(count * columns, seed: UInt64($0 + 1)))
        }
    }

    // Least squares have a closed form where no weight is 0: (ZᵀCZ + λ/2·I)·w = ZᵀC·(t - b) and b the mean of t - Z·w.
    @Test func squaredErrorsHaveTheirClosedForm() throws {
        let z = outputs(2, 1)
        let noise = randomFloats(count, seed: 9, scale: 0.1)
        let target = (0..<count).map { 0.75 * z[0][$0, 0] + 0.5 * z[1][$0, 0] + 3 + noise[$0] }
        let counts = randomFloats(count, seed: 8).map { 1 + abs($0) }
        let task = ProbeTask.regression(outputs: 1)
        let found = try Stacking(
            z, Array(0..<count), .values(Matrix(rows: count, columns: 1, storage: target)), task,
            counts: counts,
            areEqual: false)
        // In the optimum the residuals are orthogonal to every output and to 1, but for the penalty.
        let total = Double(counts.reduce(0, +))
        let residuals = (0..<count).map { found.outputs(z, $0)[0] - Double(target[$0]) }
        let mean = (0..<count).reduce(0.0) { $0 + Double(counts[$1]) * residuals[$1] } / total
        #expect(abs(mean) < 1e-4)
        for i in 0..<2 {
            let gradient =
                (0..<count).reduce(0.0) {
                    $0 + 2 * Double(counts[$1]) * residuals[$1] * Double(z[i][$1, 0])
                } / total
            #expect(abs(gradient + 1e-4 * found.weights[i]) < 1e-4)
        }
        #expect(abs(found.weights[0] - 0.75) < 0.05 && abs(found.weights[1] - 0.5) < 0.05)
        #expect(abs(found.bias[0] - 3) < 0.05)
    }

    // The conditions of Karush, Kuhn and Tucker, by differences of the log loss.
    @Test(arguments: [false, true])
    func weightsAreNotNegative(areEqual: Bool) throws {
        let z = outputs(3, 1)
        // The third points the wrong way.
        let labels = (0..<count).map { z[0][$0, 0] + 0.5 * z[1][$0, 0] - z[2][$0, 0] > 0.1 ? 1 : 0 }
        let targets = Targets.classes(labels), task = ProbeTask.binary(classes: ["a", "b"])
        let found = try Stacking(z, Array(0..<count), targets, task, counts: nil, areEqual: areEqual)
        func loss(_ w: [Double], _ b: Double) -> Double {
            let mean =
                labels.indices.reduce(0.0) { sum, n in
                    let y = (0..<3).reduce(b) { $0 + w[$1] * Double(z[$1][n, 0]) }
                    return sum + max(y, 0) - Double(labels[n]) * y + log1p(exp(-abs(y)))
                } / Double(count)
            return mean + 5e-5 * w.reduce(0) { $0 + $1 * $1 }
        }
        let least = loss(found.weights, found.bias[0])
        #expect(found.weights.allSatisfy { $0 >= 0 })
        if areEqual {
            #expect(Set(found.weights).count == 1)
        } else {
            #expect(found.weights[2] < 1e-3 && found.weights[0] > found.weights[1])
        }
        for step in [-0.05, 0.05] {
            #expect(loss(found.weights, found.bias[0] + step) > least)
            if areEqual {
                #expect(loss(found.weights.map { $0 + step }, found.bias[0]) > least)
                continue
            }
            for i in 0..<3 where found.weights[i] + step >= 0 {
                var other = found.weights
                other[i] += step
                #expect(loss(other, found.bias[0]) > least)
            }
        }
    }

    @Test func otherSequencesDoNotCount() throws {
        let z = outputs(2, 3)
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        let labels = (0..<count).map { n in (0..<3).max { z[0][n, $0] < z[0][n, $1] }! }
        let rows = Array(0..<40)
        let found = try Stacking(z, rows, .classes(labels), task, counts: nil, areEqual: false)
        let others = labels.enumerated().map { $0.offset < 40 ? $0.element : 2 - $0.element }
        #expect(try Stacking(z, rows, .classes(others), task, counts: nil, areEqual: false) == found)
        #expect(found.weights[0] > 10 * found.weights[1])
    }
}
