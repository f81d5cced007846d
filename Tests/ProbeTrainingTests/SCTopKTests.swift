import AttentionProbes
@testable import ProbeMetrics
@testable import Probes
@testable import ProbeTraining
import Foundation
import TestSupport
import Testing

// Against the formula written out, and against values that PyTorch computed in float64.
@Suite("sc-topk probes")
struct SCTopKTests {
    private func means(_ z: [Double], window: Int) -> [Double] {
        let ends = z.count < window ? [z.count] : Array(window...z.count)
        return ends.map { end in
            let own = z[max(0, end - window)..<end]
            return own.reduce(0, +) / Double(own.count)
        }
    }

    private func score(_ z: [Double], window: Int, k: Int) -> Double {
        let largest = means(z, window: window).sorted(by: >).prefix(k)
        return largest.reduce(0, +) / Double(largest.count)
    }

    private func formula(_ z: [Double], _ y: Double, window: Int, k: Int, _ weight: Double) -> Double {
        let s = score(z, window: window, k: k)
        let p = means(z, window: window).map { 1 / (1 + exp(-$0 / 2)) }
        let mean = p.reduce(0, +) / Double(p.count)
        let variance = p.reduce(0) { $0 + pow($1 - mean, 2) } / Double(p.count)
        return -y * log(1 / (1 + exp(-s))) - (1 - y) * log(1 - 1 / (1 + exp(-s))) + weight * (1 - y)
            * variance
    }

    @Test(arguments: [1, 2, 3, 4, 5, 16, 40], [0.01, 5] as [Float])
    func formulaAndDifferences(count: Int, coherence: Float) {
        let targets: [Target] = [
            .class(0), .class(1), .probability(0.25), .values([1, 0]), .values([0, 1]),
        ]
        for (seed, target) in targets.enumerated() {
            let loss = SegmentCoherenceLoss(window: 4, k: 3, temperature: 2, coherence: coherence)
            let labels = target.probabilities
            let z = randomFloats(count * labels.count, seed: UInt64(seed), scale: 2).map(Double.init)
            let expected = labels.indices.reduce(0) { sum, o in
                sum
                    + formula(
                        Array(z[o * count..<(o + 1) * count]), labels[o], window: 4, k: 3, Double(coherence))
                    / Double(labels.count)
            }
            var (gradient, unused) = (z, z)
            #expect(abs(loss(z, target, gradient: &gradient) - expected) < 1e-12)
            for j in z.indices {
                var (up, down) = (z, z)
                up[j] += 1e-5
                down[j] -= 1e-5
                let difference =
                    loss(up, target, gradient: &unused) - loss(down, target, gradient: &unused)
                #expect(abs(gradient[j] - difference / 2e-5) < 1e-8)
            }
        }
    }

    // Logits of any size have a loss.
    @Test func extremes() {
        var gradient: [Float] = [0, 0]
        let loss = SegmentCoherenceLoss(window: 1, k: 1, temperature: 1e-6, coherence: 1)
        // Windows of probability 1 and 0 vary by a quarter.
        #expect(loss([1e4, -1e4] as [Float], .class(0), gradient: &gradient) == 1e4 + 0.25)
        #expect(gradient == [1, 0])
        #expect(loss([1e4, -1e4] as [Float], .class(1), gradient: &gradient) == 0)
    }

    @Test(arguments: 1...9, [1, 2, 5])
    func pooling(count: Int, k: Int) {
        for seed in 0..<8 as Range<UInt64> {
            let z = randomFloats(count, seed: seed)
            let pooling = SegmentTopKPooling(window: 4, k: k)
            let expected = score(z.map(Double.init), window: 4, k: k)
            #expect(abs(Double(pooling.pool(z.span)) - expected) < 1e-6)
        }
    }

    // Held-out sequences are judged by the loss that is trained, with both optimisers.
    @Test(arguments: Optimizer.allCases)
    func optimizers(optimizer: Optimizer) throws {
        let data = try needleSet(count: 60, width: 8, needles: 4)
        let held = try needleSet(count: 30, width: 8, needles: 4, seed: 2)
        let configuration = ProbeConfiguration(.scTopK, k: 3, window: 4)
        var options = TrainingOptions(optimizer)
        (options.epochs, options.learningRate, options.tokenDropout, options.l2) = (40, 0.03, 0, 0.01)
        let result = try Trainer(configuration, options: options).fit(data, validation: held)
        #expect(result.history.last!.loss < result.history[0].loss)
        let loss = try Objective(
            configuration.trainedArchitecture(width: 8, outputs: 1), held, result.probe.task,
            loss: ProbeKind.scTopK.tokenLoss!(configuration), threads: 1
        ).value(result.probe.parameters)
        #expect(abs(loss - result.best!.validationLoss!) < 1e-5)
        #expect(try #require(result.probe.evaluate(held).auroc) > 0.9)
        #expect(!ProbeKind.scTopK.fits(.regression(outputs: 1)))
    }
}
