@testable import AttentionProbes
import Foundation
import Tensors
import TestSupport
import Testing

// Each kind against its formula, by hand, and its gradient against differences.
@Suite("Kinds of probes on pooled scores")
struct PoolingTests {
    private let scores: [Float] = [1, 5, -2, 5, 3, 0]

    private func pool(_ pooling: any ScorePooling, _ z: [Float]) -> Float { pooling.pool(z.span) }

    @Test func byHand() {
        #expect(pool(MaxPooling(), scores) == 5)
        #expect(pool(TopKPooling(k: 3), scores) == Float(13.0 / 3))
        #expect(pool(TopKPooling(k: 9), scores) == 2)
        #expect(pool(RollingPooling(window: 3), scores) == Float(8.0 / 3))
        #expect(pool(RollingPooling(window: 9), scores) == 2)
        #expect(pool(EMAPooling(decay: 0.5), scores) == 2.84375)
        #expect(pool(EMAPooling(decay: 1), scores) == 5)
        #expect(pool(EMAPooling(decay: 0.5), [-4]) == -2)
        let weights = scores.map { exp(Double($0) / 5) }
        let expected = zip(weights, scores).reduce(0) { $0 + $1.0 * Double($1.1) } / weights.reduce(0, +)
        #expect(abs(Double(pool(SoftmaxPooling(temperature: 5), scores)) - expected) < 1e-6)
    }

    // The first of equals has the gradient: it does not jump between runs.
    @Test func tiesGoToTheFirst() {
        var dz = [Float](repeating: 9, count: 6)
        var span = dz.mutableSpan
        MaxPooling().backward(scores.span, 2, into: &span)
        #expect(dz == [0, 2, 0, 0, 0, 0])
        span = dz.mutableSpan
        TopKPooling(k: 1).backward(scores.span, 2, into: &span)
        #expect(dz == [0, 2, 0, 0, 0, 0])
    }

    static let configurations: [ProbeConfiguration] = [
        ProbeConfiguration(.max), ProbeConfiguration(.topk, k: 3), ProbeConfiguration(.softmax),
        ProbeConfiguration(.rolling, window: 4), ProbeConfiguration(.ema, decay: 0.3),
        ProbeConfiguration(.multimax, heads: 3), ProbeConfiguration(.rollingAttention, heads: 2, window: 4),
        ProbeConfiguration(.absmax),
    ]

    @Test(arguments: configurations, [1, 2])
    func gradient(configuration: ProbeConfiguration, outputs: Int) throws {
        let width = 5
        let shape = configuration.architecture(width: width, outputs: outputs)
        let sequence = try randomBatch(lengths: [13], width: width, seed: 21)[0]
        let parameters = randomFloats(shape.tensors.parameterCount, seed: 22)
        let weights: [Float] = [2, -1]
        func value(_ parameters: [Float]) throws -> Double {
            var work = Workspace()
            try TokenPass([shape.evaluator(parameters)], width: width).forward(sequence, &work)
            return zip(work.outputs, weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        var work = Workspace()
        var gradient = [Float](repeating: 0, count: parameters.count)
        try TokenPass([shape.evaluator(parameters)], width: width).forward(sequence, &work)
        shape.evaluator(parameters).backward(
            sequence, outputGradient: Array(weights.prefix(outputs)), &work, gradient: &gradient)
        let step: Float = 1e-2
        for i in parameters.indices {
            var (up, down) = (parameters, parameters)
            up[i] += step
            down[i] -= step
            let expected = try (value(up) - value(down)) / Double(up[i] - down[i])
            #expect(abs(Double(gradient[i]) - expected) < 2e-3 * max(1, abs(expected)), "parameter \(i)")
        }
    }

    // Windows at the start are shorter; the mean of one head over all tokens is attention without end.
    @Test func rollingAttentionByHand() throws {
        let configuration = ProbeConfiguration(.rollingAttention, heads: 1, window: 2)
        // q = 1, v = 1, β = 10 on tokens of one dimension.
        let probe = Probe(
            configuration, width: 1, task: .regression(outputs: 1), parameters: [1, 1, 10])
        let data = try ActivationSet([ActivationFile(RaggedBatch([[2, 0, 1, 3]], width: 1))])
        let e = exp(1.0)
        let means = [2, 2 * e * e / (e * e + 1), e / (e + 1), (e + 3 * e * e * e) / (e + e * e * e)]
        #expect(abs(Double(try probe.scores(data).logits[0, 0]) - 10 - means.max()!) < 1e-5)
    }

    @Test(
        arguments: configurations + [
            ProbeConfiguration(.massMean), ProbeConfiguration(.lda),
            ProbeConfiguration(.mlpAttention, heads: 2, units: 20),
        ])
    func learnsAndIsSaved(configuration: ProbeConfiguration) throws {
        let data = try needleSet(count: 60, width: 8, needles: 4)
        var options = TrainingOptions(configuration.kind.isConvex ? .lbfgs : .adamw)
        if options.optimizer == .adamw { (options.epochs, options.learningRate) = (60, 0.03) }
        let result = try Trainer(configuration, options: options).fit(data)
        #expect(try #require(result.probe.evaluate(data).auroc) > 0.9, "\(configuration)")
        let folder = try TemporaryFolder()
        try result.probe.write(to: folder("probe"))
        let read = try Probe(path: folder("probe"))
        #expect(read.configuration == configuration && read.parameters == result.probe.parameters)
        #expect(try read.scores(data).logits == result.probe.scores(data).logits)
    }
}
