import AttentionProbes
@testable import ProbeMetrics
@testable import Probes
@testable import ProbeTraining
import Foundation
import TestSupport
import Testing

// Against the formula written out: Σ_t softmax_t(z̄_t/τ)·BCE(y, σ(z̄_t)) over t ≥ M, over one z̄ where n < M.
@Suite("The loss of swim probes")
struct SwimTests {
    private func formula(_ z: [Double], _ y: Double, window: Int, temperature: Double) -> Double {
        let ends = z.count < window ? [z.count] : Array(window...z.count)
        let means = ends.map { end in
            let own = z[max(0, end - window)..<end]
            return own.reduce(0, +) / Double(own.count)
        }
        let exponentials = means.map { exp($0 / temperature) }
        let losses = means.map { -y * log(1 / (1 + exp(-$0))) - (1 - y) * log(1 - 1 / (1 + exp(-$0))) }
        return zip(exponentials, losses).reduce(0) { $0 + $1.0 * $1.1 } / exponentials.reduce(0, +)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 16, 40], [0.5, 1, 3] as [Float])
    func formulaAndDifferences(count: Int, temperature: Float) {
        for (seed, target) in [Target.class(0), .class(1), .values([1, 0]), .values([0, 1])].enumerated() {
            let loss = SlidingMeanLoss(window: 4, temperature: temperature)
            let labels = target.probabilities
            let z = randomFloats(count * labels.count, seed: UInt64(seed), scale: 2).map(Double.init)
            func expected(_ z: [Double]) -> Double {
                labels.indices.reduce(0) { sum, o in
                    sum
                        + formula(
                            Array(z[o * count..<(o + 1) * count]), labels[o], window: 4,
                            temperature: Double(temperature)) / Double(labels.count)
                }
            }
            var (gradient, unused) = (z, z)
            #expect(abs(loss(z, target, gradient: &gradient) - expected(z)) < 1e-12)
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

    // Logits of any size have a loss, and a temperature that makes the softmax a maximum.
    @Test func extremes() {
        var gradient: [Float] = [0, 0]
        let loss = SlidingMeanLoss(window: 1, temperature: 1e-6)
        #expect(loss([1e4, -1e4] as [Float], .class(0), gradient: &gradient) == 1e4)
        #expect(gradient[0] == 1 && gradient[1] == 0)
        #expect(loss([1e4, -1e4] as [Float], .class(1), gradient: &gradient) == 0)
    }

    // What is trained: the projection below the loss, with masks, weights of sequences and of classes.
    @Test(arguments: [1, 2])
    func objective(outputs: Int) throws {
        let (width, lengths) = (3, [1, 9, 3, 6, 12])
        let values = randomFloats(lengths.reduce(0, +) * width, seed: 1)
        let offsets = lengths.reduce(into: [0]) { $0.append($0.last! + $1) }
        let mask = (0..<offsets.last!).map { $0 == 0 || $0 % 4 != 2 }
        let batch = try RaggedBatch(
            tokens: TokenMatrix(values, columns: width), offsets: offsets, tokenMask: mask)
        let labels = [0, 1, 1, 0, 1]
        let weights: [Float] = [1, 2, 0.5, 1, 3]
        let targets: Targets =
            outputs == 1
            ? .classes(labels)
            : .values(Matrix(rows: 5, columns: 2, storage: labels.flatMap { [Float($0), Float(1 - $0)] }))
        let file = ActivationFile(batch, targets: targets, classes: ["a", "b"], weights: weights)
        let data = try ActivationSet([file])
        let configuration = ProbeConfiguration(.swim, window: 4, temperature: 0.7)
        let task: ProbeTask =
            outputs == 1 ? .binary(classes: ["a", "b"]) : .multilabel(classes: ["a", "b"])
        let parameters = randomFloats(outputs * (width + 1), seed: 2)
        let classWeight = outputs == 1 ? ClassWeight.balanced : .none
        let own = try #require(data.trainingWeights(classWeight))
        let (loss, gradient) = try Objective(
            configuration.trainedArchitecture(width: width, outputs: outputs), data, task,
            loss: ProbeKind.swim.tokenLoss!(configuration), weights: own, threads: 2
        ).gradient(parameters)

        func expected(_ parameters: [Double]) -> Double {
            labels.indices.reduce(0) { sum, i in
                let visible = (offsets[i]..<offsets[i + 1]).filter { mask[$0] }
                let part = (0..<outputs).reduce(0.0) { sum, o in
                    let z = visible.map { token in
                        (0..<width).reduce(parameters[outputs * width + o]) {
                            $0 + parameters[o * width + $1] * Double(values[token * width + $1])
                        }
                    }
                    let label = Double(o == 0 ? labels[i] : 1 - labels[i])
                    return sum + formula(z, label, window: 4, temperature: 0.7) / Double(outputs)
                }
                return sum + Double(own[i]) * part / 5
            }
        }
        #expect(abs(loss - expected(parameters.map(Double.init))) < 1e-6)
        #expect(relativeError(gradient, centralDifferences(at: parameters, expected)) < 1e-4)
    }

    // Held-out sequences are judged by the loss that is trained, and L2 and both optimisers do what they do elsewhere.
    @Test(arguments: Optimizer.allCases)
    func optimizers(optimizer: Optimizer) throws {
        let data = try needleSet(count: 60, width: 8, needles: 4)
        let configuration = ProbeConfiguration(.swim, window: 4)
        var options = TrainingOptions(optimizer)
        (options.epochs, options.learningRate, options.tokenDropout, options.l2) = (40, 0.03, 0, 0.05)
        let held = try needleSet(count: 30, width: 8, needles: 4, seed: 2)
        let result = try Trainer(configuration, options: options).fit(data, validation: held)
        let (first, last) = (result.history[0], result.history.last!)
        #expect(last.loss < first.loss && last.penalty > 0)
        let probe = result.probe
        func loss(_ set: ActivationSet) throws -> Double {
            try Objective(
                configuration.trainedArchitecture(width: 8, outputs: 1), set, probe.task,
                loss: ProbeKind.swim.tokenLoss!(configuration), threads: 1
            ).value(probe.parameters)
        }
        #expect(abs(try loss(held) - result.best!.validationLoss!) < 1e-5)
        #expect(try #require(probe.evaluate(held).auroc) > 0.9)
    }

    @Test func tasksThatItCannotDo() throws {
        let batch = try randomBatch(lengths: [2, 2, 2], width: 2, seed: 1)
        let three = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 2]))])
        #expect(throws: DataError.self) { try Trainer(ProbeConfiguration(.swim)).fit(three) }
        #expect(
            !ProbeKind.swim.fits(.regression(outputs: 1)) && ProbeKind.swim.fits(.multilabel(classes: ["a"])))
        let grid = CandidateGrid()
        #expect(
            grid.candidates(for: .binary(classes: ["a", "b"])).contains { $0.configuration.kind == .swim })
        #expect(
            !grid.candidates(for: .multiclass(classes: ["a", "b", "c"])).contains {
                $0.configuration.kind == .swim
            })
    }
}
