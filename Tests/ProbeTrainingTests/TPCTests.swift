import AttentionProbes
@testable import Probes
@testable import ProbeTraining
import Foundation
import TestSupport
import Testing

@Suite("tpc probes")
struct TPCTests {
    // What `TPC.forward_degree` of probelab 0.1.0 gave in float64: order 4, rank 2, parameters drawn(0), drawn(1), … in its
    // order, those of `factors` halved, on states that it scales by a mean and a standard deviation.
    private static let mean = [0.5, -1, 2]
    private static let deviation = [2, 0.5, 1.25]
    private static let states: [[Double]] = [[1, -0.5, 3], [-2, -1.25, 0.5], [0.25, -1.5, 2.5]]
    private static let recorded: [[Double]] = [
        [-1.125, -0.6875, 0.875],
        [-1.2989306640625, -1.9362109375, 0.752855224609375],
        [-1.2767746315002442, -1.6027972373962402, 0.544180946826935],
        [-1.265653702545166, -1.8414249828338622, 0.7905938183784487],
    ]

    // Weights on scaled states, folded into those on states as they are.
    private func peer() -> Probe {
        var next = 0
        func drawn(_ count: Int) -> [Double] {
            defer { next += count }
            return (next..<next + count).map { index -> Double in
                let number = (index * 37 + 11) % 23 - 11
                return Double(number) / 8
            }
        }
        func folded(_ rows: [Double]) -> (weights: [Double], biases: [Double]) {
            let weights = rows.enumerated().map { $0.element / Self.deviation[$0.offset % 3] }
            let biases = (0..<rows.count / 3).map { r -> Double in
                var sum = 0.0
                for d in 0..<3 { sum -= weights[r * 3 + d] * Self.mean[d] }
                return sum
            }
            return (weights, biases)
        }
        let (weights, biases) = folded(drawn(3))
        var parameters = weights + [biases[0] + drawn(1)[0]]
        for _ in 2...4 {
            let (weights, biases) = folded(drawn(6).map { $0 / 2 })
            parameters += weights + biases + drawn(2)
        }
        var configuration = ProbeConfiguration(.tpc)
        (configuration[.order], configuration[.rank]) = (4, 2)
        return Probe(
            configuration, width: 3, task: .binary(classes: ["a", "b"]),
            parameters: parameters.map { Float($0) })
    }

    private func data(_ tokens: [[Double]]) throws -> ActivationSet {
        try ActivationSet([ActivationFile(RaggedBatch(tokens.map { $0.map { Float($0) } }, width: 3))])
    }

    @Test func valuesOfAPeer() throws {
        let (probe, data) = (peer(), try data(Self.states))
        for (order, expected) in zip(1...4, Self.recorded) {
            let limited = probe.limited(order: order, exit: nil)
            #expect(limited.configuration[.order] == Float(order))
            #expect(relativeError(try limited.scores(data).logits.storage, expected.map { Float($0) }) < 1e-5)
        }
        #expect(probe.limited(order: 9, exit: nil).parameters == probe.parameters)
    }

    // Of the second order on its logit is sure enough, of the first that of the first sequence.
    @Test func earlyExit() throws {
        let (probe, data) = (peer(), try data(Self.states))
        func scores(_ exit: Float) throws -> [Float] {
            try probe.limited(order: nil, exit: exit).scores(data).logits.storage
        }
        let all = Self.recorded.map { $0.map { Float($0) } }
        // σ(1) = 0.731: the first sequence is left after one order, the second after two, the third after all.
        let expected = [all[0][0], all[1][1], all[3][2]]
        #expect(relativeError(try scores(0.7310586), expected) < 1e-5)
        #expect(relativeError(try scores(0.5), all[0]) < 1e-5)
        #expect(relativeError(try scores(0.999), all[3]) < 1e-5)
        // Token by token too.
        var stream = try ProbeStream(probe.limited(order: nil, exit: 0.7310586))
        try stream.append(Self.states[1].map { Float($0) })
        #expect(relativeError(try #require(stream.logits), [all[1][1]]) < 1e-5)
    }

    @Test(arguments: 1...3)
    func gradient(outputs: Int) throws {
        let shape = PolynomialArchitecture(width: 4, outputs: outputs, order: 4, rank: 3, exit: 0)
        let parameters = randomFloats(shape.tensors.parameterCount, seed: 1, scale: 0.7)
        let sequence = try randomBatch(lengths: [5], width: 4, seed: 2)[0].keeping { $0 != 1 }
        let weights = randomFloats(outputs, seed: 3)
        var work = Workspace()
        var gradient = [Float](repeating: 0, count: parameters.count)
        let evaluator = shape.evaluator(parameters)
        try TokenPass([evaluator], width: 4).forward(sequence, &work)
        evaluator.backward(sequence, outputGradient: weights, &work, gradient: &gradient)
        let mean = work.pooled.map(Double.init)
        func value(_ p: [Double]) -> Double {
            (0..<outputs).reduce(0) { sum, o in
                func product(_ start: Int) -> Double { (0..<4).reduce(0) { $0 + p[start + $1] * mean[$1] } }
                var y = product(o * 4) + p[outputs * 4 + o]
                for k in 2...4 {
                    for r in 0..<3 {
                        let s = product(shape.rows(k).lowerBound + r * 4) + p[shape.biases(k).lowerBound + r]
                        y += p[shape.factors(k).lowerBound + o * 3 + r] * pow(s, Double(k))
                    }
                }
                return sum + Double(weights[o]) * y
            }
        }
        #expect(relativeError(gradient, centralDifferences(at: parameters, value)) < 1e-4)
        let output = zip(work.outputs, weights).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(output - value(parameters.map(Double.init))) < 1e-4)
    }

    // Signs of two dimensions that agree: no linear probe tells them apart, and a product does. Lower orders are what they
    // are without higher ones, and the bias of a term is 0 on standardised states.
    @Test(arguments: Optimizer.allCases)
    func ordersAreTrainedInTurn(optimizer: Optimizer) throws {
        let values = randomFloats(200 * 6, seed: 4)
        let labels = (0..<200).map { values[$0 * 6] * values[$0 * 6 + 1] > 0 ? 1 : 0 }
        let tokens = TokenMatrix(values, columns: 6)
        let data = try ActivationSet([
            ActivationFile(
                RaggedBatch(tokens: tokens, offsets: Array(0...200)), targets: .classes(labels),
                classes: ["a", "b"])
        ])
        var options = TrainingOptions(optimizer)
        (options.epochs, options.tokenDropout, options.learningRate) = (60, 0, 0.02)
        func fit(_ order: Int) throws -> Trainer.Result {
            var configuration = ProbeConfiguration(.tpc)
            (configuration[.order], configuration[.rank]) = (Float(order), 4)
            return try Trainer(configuration, options: options).fit(data)
        }
        let (linear, whole) = (try fit(1), try fit(3))
        let first = whole.probe.limited(order: 1, exit: nil)
        #expect(relativeError(first.parameters, linear.probe.parameters) < 1e-5)
        #expect(try #require(linear.probe.evaluate(data).auroc) < 0.75)
        #expect(try #require(whole.probe.evaluate(data).auroc) > 0.95)
        let standardized = try #require(whole.standardized)
        let biases = try #require(whole.probe.architecture.tensors.range(of: "u.2.bias"))
        #expect(standardized[biases].allSatisfy { $0 == 0 })
        // One epoch after the other, through all orders.
        #expect(whole.history.map(\.epoch) == Array(1...whole.history.count) && whole.history.count > 60)
        #expect(whole.history.last!.loss < linear.history.last!.loss - 0.1)
    }
}
