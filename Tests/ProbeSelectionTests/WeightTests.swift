import AttentionProbes
@testable import ProbeTraining
import TestSupport
import Testing

@Suite("Weights of sequences")
struct WeightTests {
    @Test func weightsCountInFoldMetricsAndCalibration() throws {
        let plain = try needleSet(count: 60)
        let weights = (0..<60).map { Float($0 % 3) + 0.5 }
        let file = ActivationFile(plain.files[0].batch, targets: plain.targets, weights: weights)
        let data = try ActivationSet([file])
        var selection = Selection([fewCandidates()[0]])
        (selection.folds, selection.metric) = (3, .loss)
        let result = try selection.run(data)
        let scores = try #require(result.chosen.outOfFold)
        for fold in 0..<3 {
            let (rows, targets) = (result.folds.heldOut(fold), data.targets!)
            var (loss, total, unused) = (0.0, 0.0, [Float]())
            for row in rows {
                let own = try Loss(data.task())(Array(scores[row: row]), targets[row], gradient: &unused)
                loss += Double(weights[row]) * own
                total += Double(weights[row])
            }
            #expect(abs(try #require(result.chosen.folds[fold]) + loss / total) < 1e-12)
        }
        let isPositive = (0..<60).map { $0 % 2 == 1 }
        let calibration = Calibration(
            .platt, logits: scores.storage, isPositive: isPositive, weights: weights)
        #expect(try calibration != nil && result.deployed(data).calibration == calibration)
        #expect(calibration != Calibration(.platt, logits: scores.storage, isPositive: isPositive))
    }

    @Test func weightsCountLikeRepetitions() throws {
        let batch = try randomBatch(lengths: Array(repeating: 3, count: 20), width: 4, seed: 5)
        let labels = (0..<20).map { $0 % 2 }
        let twice = (0..<20).map { $0 % 5 == 0 ? Float(2) : 1 }
        func set(_ weights: [Float]?) throws -> ActivationSet {
            try ActivationSet([ActivationFile(batch, targets: .classes(labels), weights: weights)])
        }
        let repeated = try set(nil).selecting(Array(0..<20) + (0..<20).filter { $0 % 5 == 0 })
        for standardizes in [false, true] {
            var options = TrainingOptions(.lbfgs)
            options.standardizes = standardizes
            let weighted = try Trainer(.mean, options: options).fit(set(twice)).probe.parameters
            let copied = try Trainer(.mean, options: options).fit(repeated).probe.parameters
            for (a, b) in zip(weighted, copied) { #expect(abs(a - b) < 1e-3) }
        }
        let (weighted, copied) = try (
            Standardization(set(twice), threads: 2), Standardization(repeated, threads: 2)
        )
        for d in 0..<4 {
            #expect(abs(weighted.mean[d] - copied.mean[d]) < 1e-12)
            #expect(abs(weighted.scale[d] - copied.scale[d]) < 1e-12)
        }
        #expect(abs(weighted.positionScale - copied.positionScale) < 1e-12)
        let plain = try Standardization(set(nil), threads: 2)
        #expect((0..<4).allSatisfy { abs(plain.mean[$0] - copied.mean[$0]) > 1e-4 })
        // Attention goes the general way, token by token.
        let shape = AttentionArchitecture(width: 4, outputs: 1, heads: 1)
        let parameters = randomFloats(shape.tensors.parameterCount, seed: 6)
        func gradient(_ data: ActivationSet) throws -> (loss: Double, gradient: [Float]) {
            try Objective(
                shape, data, try data.task(), weights: data.trainingWeights(.none), threads: 1
            ).gradient(parameters)
        }
        let (a, b) = (try gradient(set(twice)), try gradient(repeated))
        #expect(abs(a.loss - b.loss) < 1e-6 && relativeError(a.gradient, b.gradient) < 1e-5)
        #expect(try abs(gradient(set(nil)).loss - b.loss) > 1e-4)
    }

    @Test func balancedClassesCountAlike() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 12), width: 3, seed: 6)
        let labels = (0..<12).map { $0 < 9 ? 0 : 1 }
        let set = try ActivationSet([ActivationFile(batch, targets: .classes(labels))])
        let weights = try #require(set.trainingWeights(.balanced))
        // 12/(2·9) and 12/(2·3), whose mean is 1
        #expect(abs(weights[0] - 2.0 / 3) < 1e-6 && abs(weights[11] - 2) < 1e-6)
        #expect(set.trainingWeights(.none) == nil)
    }
}
