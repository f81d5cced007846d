import AttentionProbes
@testable import Probes
@testable import ProbeTraining
import Foundation
import TestSupport
import Testing

@Suite("Standardisation, with dimensions far from 0 and dimensions that do not vary")
struct StandardizationTests {
    @Test(arguments: [0, 1000] as [Float]) func foldsExactly(mean: Float) throws {
        let data = try needleSet(count: 20).moved(by: mean)
        let standardization = try Standardization(data, threads: 2)
        for d in 0..<data.width {
            var (sum, square, count) = (0.0, 0.0, 0.0)
            var scratch: [Float] = []
            for index in data.indices {
                data[index].forEachTile(scratch: &scratch) { range, tokens in
                    for j in 0..<range.count {
                        let x =
                            (Double(tokens[j * data.width + d]) - standardization.mean[d])
                            * standardization.scale[d]
                        (sum, square, count) = (sum + x, square + x * x, count + 1)
                    }
                }
            }
            #expect(abs(sum / count) < 1e-5 && abs(square / count - 1) < 1e-4)
        }
        // Scores of folded parameters on the tokens are those of the parameters on standardised ones.
        let shape = AttentionArchitecture(width: data.width, outputs: 2, heads: 2)
        var parameters = randomFloats(shape.tensors.parameterCount, seed: 3)
        let folded = standardization.fold(parameters, shape.tensors)
        // Positions are scaled and not moved, so the other side takes the scaled weight.
        let positions = try #require(shape.tensors.range(of: "position_weight"))
        for i in positions {
            #expect(abs(folded[i] - parameters[i] * Float(standardization.positionScale)) < 1e-6)
            parameters[i] = folded[i]
        }
        var scratch: [Float] = []
        let tokens = data[3].withTokens(0..<data[3].count, scratch: &scratch) { tokens in
            tokens.indices.map { i in
                Float(
                    (Double(tokens[i]) - standardization.mean[i % data.width])
                        * standardization.scale[i % data.width])
            }
        }
        var (work, other) = (Workspace(), Workspace())
        try TokenPass([shape.evaluator(folded)], width: shape.width).forward(data[3], &work)
        try TokenPass([shape.evaluator(parameters)], width: shape.width).forward(
            try RaggedBatch([tokens], width: data.width)[0], &other)
        // Products of floats a thousand from 0 have as many units in their last place.
        #expect(relativeError(work.outputs, other.outputs) < (mean == 0 ? 1e-5 : 3e-3))
    }

    // pullBack is the transpose of fold, whatever the parameters: c·(fold(p + δ) - fold(p)) = pullBack(c)·δ.
    @Test(arguments: [false, true]) func theGradientIsThatOfFolding(whitens: Bool) throws {
        let data = try needleSet(count: 20, width: 3).moved(by: 1000)
        let standardization = try Standardization(data, threads: 1, whitens: whitens)
        let architectures: [any ProbeArchitecture] = [
            AttentionArchitecture(width: 3, outputs: 2, heads: 2, hidden: 4),
            ProbeConfiguration(.mlpAttention, heads: 2, units: 3).architecture(width: 3, outputs: 1),
            PooledArchitecture(width: 3, outputs: 2, pooling: .mean),
        ]
        for architecture in architectures {
            let tensors = architecture.tensors
            let count = tensors.parameterCount
            let (step, by) = (randomFloats(count, seed: 1), randomFloats(count, seed: 2))
            let folded = standardization.fold(step, tensors)
            let there = zip(by, folded).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            var pulled = by.map(Double.init)
            standardization.pullBack(&pulled, tensors)
            let back = zip(pulled, step).reduce(0.0) { $0 + $1.0 * Double($1.1) }
            #expect(abs(there) > 100 && abs(there - back) < 1e-5 * abs(there), "\(there), \(back)")
            guard !whitens else { continue }
            let unfolded = standardization.unfold(folded, tensors).map { Float($0) }
            #expect(relativeError(unfolded, step) < 1e-3)
        }
    }

    // Nothing but the bias has to tell a set from one that is moved as a whole.
    @Test(arguments: [
        ProbeKind.attention, .mean, .last, .max, .softmax, .rolling, .ema, .rollingAttention, .lda, .massMean,
    ])
    func aMeanFarFromZeroChangesNothing(kind: ProbeKind) throws {
        let data = try needleSet(count: 60, width: 8, lengths: 5...12, needles: 3)
        func auroc(_ mean: Float) throws -> Double {
            let data = try data.moved(by: mean)
            return try #require(Trainer(ProbeConfiguration(kind)).fit(data).probe.evaluate(data).auroc)
        }
        let near = try auroc(0)
        #expect(near > 0.7)
        #expect(try abs(auroc(1000) - near) < 0.05)
    }

    // The mean of a constant in floats differs from one length to another, and standardised would be a feature.
    @Test(arguments: [0.1, 7, -1000, 3e-8] as [Float], [ProbeKind.mean, .lda, .massMean, .ema])
    func aConstantIsNoFeature(constant: Float, kind: ProbeKind) throws {
        let plain = try needleSet(count: 60, width: 5, lengths: 5...90, needles: 8)
        func fit(_ value: Float) throws -> (probe: Probe, loss: Double) {
            let data = try plain.mapped { $0 % 5 == 2 ? value : $1 }
            let probe = try Trainer(ProbeConfiguration(kind)).fit(data).probe
            return (probe, try probe.evaluate(data).loss)
        }
        let (probe, loss) = try fit(constant)
        #expect(probe.parameters[2] == 0)
        #expect(try abs(fit(0).loss - loss) < 1e-6)
    }

    // What a float leaves of a number varies, and is no feature either; a small spread about a large mean is one.
    @Test func roundingIsNoSpread() throws {
        let noisy = try needleSet(count: 40, width: 3).mapped { i, value in
            switch i % 3 {
            case 0: i / 3 % 2 == 0 ? 7 : Float(7).nextUp
            case 1: 1e5 + value
            default: value
            }
        }
        let scale = try Standardization(noisy, threads: 2).scale
        #expect(scale[0] == 0 && abs(scale[1] - 1) < 0.2 && abs(scale[2] - 1) < 0.2, "\(scale)")
        let pooled = try Standardization(noisy.pooled(.mean, threads: 2), threads: 2).scale
        #expect(pooled[0] == 0 && pooled[1] > 1 && pooled[2] > 1, "\(pooled)")
    }

    // As PyTorch does: a mean and a product in floats.
    @Test func floatsAgreeWithAProbeOnConstants() throws {
        let data = try needleSet(count: 40, width: 5, lengths: 5...90, needles: 8)
            .mapped { $0 % 5 == 2 ? 7 : $1 }
        let probe = try Trainer(.mean).fit(data).probe
        let scores = try probe.scores(data).logits
        var scratch: [Float] = []
        for index in data.indices {
            let n = data[index].count
            let logit = data[index].withTokens(0..<n, scratch: &scratch) { tokens in
                (0..<5).reduce(probe.parameters[5]) { sum, d in
                    sum + probe.parameters[d] * (0..<n).reduce(Float(0)) { $0 + tokens[$1 * 5 + d] }
                        / Float(n)
                }
            }
            #expect(abs(logit - scores[index, 0]) < 1e-4)
        }
    }
}
