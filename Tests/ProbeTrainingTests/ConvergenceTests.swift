import AttentionProbes
@testable import ProbeTraining
import Foundation
import TestSupport
import Testing

@Suite("Convergence")
struct ConvergenceTests {
    private func objective(_ data: ActivationSet, l2: Float, standardizes: Bool = true, isLinear: Bool = true)
        throws
        -> StandardizedObjective
    {
        let architecture = ProbeConfiguration.mean.architecture(width: data.width, outputs: 1)
        let measured = try Standardization(data, threads: 1)
        return StandardizedObjective(
            training: Objective(architecture, data, try data.task(), threads: 1),
            standardization: standardizes ? measured : measured.balanced(l2: Double(l2)),
            tensors: architecture.tensors, task: try data.task(), l2: l2, penalizesScaled: standardizes,
            isLinear: isLinear)
    }

    // A convex loss with a penalty has one optimum: the gradient there is 0, from any scale, also where one
    // dimension has another unit, or means lie far from 0.
    @Test(arguments: [(0, 1), (1e5, 1), (0, 1e5), (0, 1e-4)] as [(Float, Float)], [true, false])
    func aLinearProbeReachesItsOptimum(change: (mean: Float, unit: Float), standardizes: Bool) throws {
        let plain = try needleSet(count: 80, width: 6, needles: 3)
        let sequences = try plain.mapped { ($0 % 6 == 2 ? change.unit : 1) * $1 + change.mean }
        var options = TrainingOptions(.lbfgs)
        options.standardizes = standardizes
        let result = try Trainer(.mean, options: options).fit(sequences)
        #expect(result.stop == .converged)
        let data = try sequences.pooled(.mean, threads: 1)
        let objective = try objective(data, l2: 1e-2, standardizes: standardizes)
        let parameters = objective.standardization.unfold(result.probe.parameters, objective.tensors)
        let gradient = try objective.penalizedGradient(parameters).1
        // In a file weights are floats, and far from 0 a bias has fewer digits.
        #expect(gradient.allSatisfy { abs($0) < (change.mean == 0 ? 1e-4 : 2e-3) }, "\(gradient)")
        let best = try #require(result.best)
        #expect(try abs(result.probe.evaluate(sequences).loss - best.loss) < 2e-3)
        if standardizes {
            #expect(
                try abs(best.loss - #require(Trainer(.mean, options: options).fit(plain).best).loss) < 1e-3)
        }
    }

    // With one weight and no bias to speak of, the optimum can be told: σ(w) - 1 + λw = 0 for states ±1.
    @Test func theOptimumByHand() throws {
        let batch = try RaggedBatch([[-1], [1]], width: 1)
        let data = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1]))])
        var options = TrainingOptions(.lbfgs)
        options.l2 = 0.1
        for standardizes in [true, false] {
            options.standardizes = standardizes
            let w = Double(try Trainer(.mean, options: options).fit(data).probe.parameters[0])
            #expect(abs(1 / (1 + exp(-w)) - 1 + 0.1 * w) < 1e-4, "\(w)")
        }
    }

    // On one token a sequence, the products for all rows at once are those sequence by sequence.
    @Test(arguments: [1, 3])
    func rowsAtOnceAreRowsOneByOne(outputs: Int) throws {
        let (count, width) = (700, 24)
        let batch = try RaggedBatch(
            tokens: TokenMatrix(randomFloats(count * width, seed: 1), columns: width),
            offsets: Array(0...count))
        let values = Matrix(rows: count, columns: outputs, storage: randomFloats(count * outputs, seed: 2))
        let weights = randomFloats(count, seed: 3).map { abs($0) + 0.1 }
        let data = try ActivationSet([ActivationFile(batch, targets: .values(values))])
        let architecture = ProbeConfiguration.mean.architecture(width: width, outputs: outputs)
        let parameters = randomFloats((width + 1) * outputs, seed: 4).map(Double.init)
        func gradient(_ isLinear: Bool, _ threads: Int) throws -> (loss: Double, gradient: [Double]) {
            let task = try data.task()
            return try StandardizedObjective(
                training: Objective(architecture, data, task, weights: weights, threads: threads),
                standardization: Standardization(data, threads: 1), tensors: architecture.tensors, task: task,
                l2: 0.5, isLinear: isLinear
            ).penalizedGradient(parameters)
        }
        let (together, oneByOne) = (try gradient(true, 2), try gradient(false, 2))
        #expect(abs(together.loss - oneByOne.loss) < 1e-6 * oneByOne.loss)
        #expect(
            relativeError(together.gradient.map { Float($0) }, oneByOne.gradient.map { Float($0) }) < 1e-5)
        #expect(try gradient(true, 1) == together)
    }

    @Test func iterationsThatRunOutAreNoConvergence() throws {
        var options = TrainingOptions(.lbfgs)
        options.epochs = 2
        let result = try Trainer(.mean, options: options).fit(needleSet(count: 40))
        #expect(result.stop == .unconverged && result.probe.training["stop"] == "did not converge")
        #expect(result.probe.trainingSummary.contains("did not converge"))
    }

    // A gradient that leads astray: no step along it lowers the function.
    @Test func aLineSearchThatFindsNothingIsNoConvergence() throws {
        var calls = 0
        let outcome = try LBFGS(iterations: 100).minimize(from: [1]) { x in
            calls += 1
            return (abs(x[0]), [calls == 1 ? -1 : 1])
        } afterStep: { _, _ in
            true
        }
        #expect(outcome == .stalled)
    }

    // Of a steep valley and a shallow one, a step that lowers the function by little is not the end.
    @Test func littleGainIsNoConvergence() throws {
        let scales = [1e8, 1, 1e-2]
        var last = 0.0
        let outcome = try LBFGS(iterations: 500).minimize(from: [1, 1, 1]) { x in
            let value = zip(scales, x).reduce(0) { $0 + $1.0 * $1.1 * $1.1 / 2 }
            return (value, zip(scales, x).map { $0 * $1 })
        } afterStep: { _, point in
            last = point.value
            return true
        }
        #expect(outcome == .converged && last < 1e-4, "\(last)")
    }

    // A learning rate with which numbers grow beyond all bounds is not the fault of a sequence.
    @Test(arguments: [ProbeKind.attention, .max, .mean, .mlpAttention]) func divergenceIsNamed(
        kind: ProbeKind
    ) throws {
        var options = TrainingOptions(.adamw)
        options.learningRate = 1e30
        let error = try #require(throws: DataError.self) {
            try Trainer(ProbeConfiguration(kind), options: options).fit(needleSet(count: 40))
        }
        #expect(error.description.contains("found 1e+30, with which it diverged in step"), "\(error)")
        #expect(!error.description.contains("sequence "))
    }

    // States that overflow before any step do have a sequence to name.
    @Test func overflowAtTheStartNamesTheSequence() throws {
        // Of many tokens of all signs, some are along the values.
        var sequences = (0..<8).map { randomFloats(128, seed: $0) }
        sequences[5] = randomFloats(400 * 64, seed: 5).map { $0 < 0 ? -3e38 : 3e38 }
        let data = try ActivationSet([
            ActivationFile(
                RaggedBatch(sequences, width: 64), targets: .classes([0, 1, 0, 1, 0, 1, 0, 1]))
        ])
        var options = TrainingOptions(.adamw)
        (options.standardizes, options.batchSize, options.tokenDropout) = (false, 8, 0)
        let error = try #require(throws: DataError.self) {
            try Trainer(ProbeConfiguration(.max), options: options).fit(data)
        }
        #expect(error.rule == .overflow && error.place == "sequence 5", "\(error)")
    }
}
