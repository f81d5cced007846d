import AttentionProbes
@testable import Probes
import Foundation
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
        // Of fewer at the start: 1, 3, then windows of three.
        #expect(pool(RollingPooling(window: 3, takesShort: true), scores) == 3)
        #expect(pool(RollingPooling(window: 9, takesShort: true), scores) == 3)
        #expect(pool(RollingPooling(window: 3, takesShort: true), [4, 0, 2]) == 4)
        #expect(pool(EMAPooling(decay: 0.5), scores) == 2.84375)
        #expect(pool(EMAPooling(decay: 1), scores) == 5)
        #expect(pool(EMAPooling(decay: 0.5), [-4]) == -2)
        let weights = scores.map { exp(Double($0) / 5) }
        let expected = zip(weights, scores).reduce(0) { $0 + $1.0 * Double($1.1) } / weights.reduce(0, +)
        #expect(abs(Double(pool(SoftmaxPooling(temperature: 5), scores)) - expected) < 1e-6)
    }

    // Against their definitions, on scores of every length, so that each place has the largest once.
    @Test(arguments: 1...12) func byDefinition(count: Int) {
        for seed in 0..<20 as Range<UInt64> {
            let z = randomFloats(count, seed: seed)
            let wide = z.map(Double.init)
            func check(_ pooling: any ScorePooling, _ expected: Double, _ gradient: [Double]) {
                #expect(abs(Double(pool(pooling, z)) - expected) < 1e-6, "\(pooling), \(z)")
                var dz = [Float](repeating: 9, count: count)
                var span = dz.mutableSpan
                pooling.backward(z.span, 2, into: &span)
                #expect(zip(dz, gradient).allSatisfy { abs(Double($0) - 2 * $1) < 1e-6 }, "\(pooling), \(z)")
            }
            let order = z.indices.sorted { z[$0] > z[$1] }
            check(MaxPooling(), wide.max()!, z.indices.map { $0 == order[0] ? 1 : 0 })
            for size in 1...5 {
                let k = min(size, count)
                let largest = order.prefix(k)
                check(
                    TopKPooling(k: size), largest.reduce(0) { $0 + wide[$1] } / Double(k),
                    z.indices.map { largest.contains($0) ? 1 / Double(k) : 0 })
                let means = (0...count - k).map { wide[$0..<$0 + k].reduce(0, +) / Double(k) }
                let best = means.indices.max { means[$0] < means[$1] }!
                check(
                    RollingPooling(window: size), means[best],
                    z.indices.map { best..<best + k ~= $0 ? 1 / Double(k) : 0 })
            }
            for size in 1...5 {
                let means = z.indices.map { t in
                    let own = wide[max(0, t - size + 1)...t]
                    return own.reduce(0, +) / Double(own.count)
                }
                let best = means.indices.max { means[$0] < means[$1] }!
                let window = max(0, best - size + 1)...best
                check(
                    RollingPooling(window: size, takesShort: true), means[best],
                    z.indices.map { window ~= $0 ? 1 / Double(window.count) : 0 })
            }
            // E_j = Σ_i α·(1-α)^(j-i)·z_i
            let averages = z.indices.map { j in
                (0...j).reduce(0) { $0 + 0.3 * pow(0.7, Double(j - $1)) * wide[$1] }
            }
            let best = averages.indices.max { averages[$0] < averages[$1] }!
            check(
                EMAPooling(decay: 0.3), averages[best],
                z.indices.map { $0 <= best ? 0.3 * pow(0.7, Double(best - $0)) : 0 })
        }
    }

    // The first of equals has the gradient: it does not jump between runs.
    @Test func tiesGoToTheFirst() {
        var dz = [Float](repeating: 9, count: 6)
        var span = dz.mutableSpan
        MaxPooling().backward(scores.span, 2, into: &span)
        #expect(dz == [0, 2, 0, 0, 0, 0])
        span = dz.mutableSpan
        RollingPooling(window: 1, takesShort: true).backward(scores.span, 2, into: &span)
        #expect(dz == [0, 2, 0, 0, 0, 0])
        span = dz.mutableSpan
        TopKPooling(k: 1).backward(scores.span, 2, into: &span)
        #expect(dz == [0, 2, 0, 0, 0, 0])
    }

    static let configurations: [ProbeConfiguration] = [
        ProbeConfiguration(.max), ProbeConfiguration(.topk, k: 3), ProbeConfiguration(.softmax),
        ProbeConfiguration(.rolling, window: 4), ProbeConfiguration(.ema, decay: 0.3),
        ProbeConfiguration(.multimax, heads: 3), ProbeConfiguration(.rollingAttention, heads: 2, window: 4),
        ProbeConfiguration(.absmax), ProbeConfiguration(.swim, window: 4),
        ProbeConfiguration(.swim, window: 4, decay: 0.3, smoothing: .ema),
        ProbeConfiguration(.scTopK, k: 3, window: 4),
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

    // Each place has the best window once.
    @Test(arguments: 1...8) func rollingAttentionByDefinition(count: Int) throws {
        for (seed, window) in zip(0..<20 as Range<UInt64>, (0..<20).map { 1 + $0 % 4 }) {
            let (x, probe) = (
                randomFloats(count, seed: seed),
                Probe(
                    ProbeConfiguration(.rollingAttention, heads: 1, window: window), width: 1,
                    task: .regression(outputs: 1), parameters: [0.5, 2, 10])
            )
            let means = (0..<count).map { j -> Double in
                let own = (max(0, j - window + 1)...j).map { Double(x[$0]) }
                let e = own.map { exp($0 / 2) }
                return zip(e, own).reduce(0) { $0 + $1.0 * 2 * $1.1 } / e.reduce(0, +)
            }
            let data = try ActivationSet([ActivationFile(RaggedBatch([x], width: 1))])
            #expect(abs(Double(try probe.scores(data).logits[0, 0]) - 10 - means.max()!) < 1e-5)
        }
    }

    @Test(
        arguments: configurations + [
            ProbeConfiguration(.massMean), ProbeConfiguration(.lda),
            ProbeConfiguration(.mlpAttention, heads: 2, units: 20),
            ProbeConfiguration(.multimax, heads: 2, units: 20),
            ProbeConfiguration(.rollingAttention, heads: 2, units: 20, window: 4),
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
