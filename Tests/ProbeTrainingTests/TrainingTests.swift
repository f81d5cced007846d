import AttentionProbes
@testable import Probes
@testable import ProbeTraining
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Training")
struct TrainingTests {
    private func options(
        _ optimizer: Optimizer, _ change: (inout TrainingOptions) -> Void = { _ in }
    )
        -> TrainingOptions
    {
        var options = TrainingOptions(optimizer)
        options.epochs = 40
        change(&options)
        return options
    }

    // Two threads take blocks 0 and 1, then 2: what is read ahead comes in that order.
    @Test func readingFollowsTheThreads() {
        let order = Objective.order([10, 11, 12, 13, 14, 15], [0..<3, 3..<5, 5..<6], 2)
        #expect(order == [10, 13, 11, 14, 12, 15])
        #expect(Objective.order([3, 1, 2], [0..<3], 4) == [3, 1, 2])
    }

    @Test(arguments: Optimizer.allCases)
    func attentionFindsTheNeedle(optimizer: Optimizer) throws {
        // No dropout: half of the needles would be hidden from training.
        let result = try Trainer(
            .attention(heads: 2), options: options(optimizer) { ($0.epochs, $0.tokenDropout) = (100, 0) }
        ).fit(needleSet(count: 120))
        let test = try needleSet(count: 100, seed: 2)
        #expect(try #require(result.probe.evaluate(test).auroc) > 0.95)
        #expect(result.trainingCount == 120 && result.validationCount == 0)
    }

    @Test func tanhWithAHiddenLayerWakesUp() throws {
        let probe = ProbeConfiguration.attention(heads: 2, hidden: 4, .tanh)
        let result = try Trainer(probe, options: options(.adamw) { $0.learningRate = 0.02 }).fit(
            needleSet(count: 80))
        #expect(result.history.last!.loss < 0.9 * result.history[0].loss)
    }

    @Test func lossFallsAndPenaltyIsApart() throws {
        let result = try Trainer(.attention(heads: 2), options: options(.lbfgs) { $0.l2 = 0.1 }).fit(
            needleSet(count: 60))
        let (first, last) = (result.history[0], result.history[result.history.count - 1])
        #expect(last.loss + last.penalty < first.loss + first.penalty && last.penalty > 0)
        let without = try Trainer(.attention(heads: 2), options: options(.lbfgs) { $0.l2 = 0 }).fit(
            needleSet(count: 60))
        #expect(without.history.allSatisfy { $0.penalty == 0 })
    }

    @Test func penaltyLeavesBiasesAndPositionsAlone() {
        let names = AttentionArchitecture(width: 2, outputs: 1, heads: 1, hidden: 3).tensors
            .filter(\.isPenalised).map(\.name)
        #expect(names == ["q.weight", "v.weight", "o.weight"])
        // A step without gradient moves nothing but decayed weights.
        let tensors = PooledArchitecture(width: 2, outputs: 1, pooling: .mean).tensors
        var parameters: [Float] = [1, 2, 3]
        var optimizer = AdamW(tensors, weightDecay: 0.5)
        optimizer.step(&parameters, [0, 0, 0], learningRate: 0.1)
        #expect(parameters == [0.95, 1.9, 3])
    }

    // The first steps of torch.optim.AdamW on one weight and one bias: lr 0.1, weight_decay 0.5 and 0.
    @Test func adamwStepsAsPyTorchDoes() {
        let tensors = [
            ParameterTensor("w", shape: [1], role: .outputWeights),
            ParameterTensor("b", shape: [1], role: .bias),
        ]
        var parameters: [Float] = [1, 1]
        var optimizer = AdamW(tensors, weightDecay: 0.5)
        for gradient in [[0.5, 0.5], [-0.25, -0.25], [1, 1]] as [[Float]] {
            optimizer.step(&parameters, gradient, learningRate: 0.1)
        }
        #expect(
            abs(parameters[0] - 0.6760119) < 1e-6 && abs(parameters[1] - 0.8075552) < 1e-6, "\(parameters)")
    }

    @Test func earlyStoppingRestoresTheBestEpoch() throws {
        let data = try needleSet(count: 40)
        let held = try needleSet(count: 40, seed: 9)
        let result = try Trainer(
            .attention(heads: 4),
            options: options(.adamw) { ($0.epochs, $0.patience, $0.learningRate) = (200, 3, 0.03) }
        ).fit(data, validation: held)
        let losses = result.history.compactMap(\.validationLoss)
        let best = try #require(losses.min())
        #expect(result.stop == .earlyStopping && losses.count < 200)
        #expect(result.history.last?.bestEpoch == losses.firstIndex(of: best)! + 1)
        let loss = try result.probe.evaluate(held).loss
        #expect(abs(loss - best) < 1e-9, "\(loss) for \(best)")
    }

    // Twenty sequences of weight 3 and twenty of weight 1 are the twenty three times and the others once.
    @Test func weightsCountInTheValidationLoss() throws {
        let data = try needleSet(count: 40)
        let held = try needleSet(count: 40, seed: 9)
        let file = ActivationFile(
            held.files[0].batch, targets: held.targets, classes: held.classes,
            weights: held.indices.map { $0 < 20 ? 3 : 1 })
        for kind in [ProbeKind.multimax, .lda] {
            let options = options(.adamw) { $0.epochs = 2 }
            func loss(_ validation: ActivationSet) throws -> Double {
                try #require(
                    Trainer(ProbeConfiguration(kind), options: options).fit(data, validation: validation)
                        .history.last?.validationLoss)
            }
            let often = Array(0..<20)
            let weighted = try loss(ActivationSet([file]))
            #expect(abs(try weighted - loss(held.selecting(often + often + often + Array(20..<40)))) < 1e-6)
            #expect(abs(try weighted - loss(held)) > 1e-6)
        }
    }

    @Test func interruptionKeepsTheBestSoFar() throws {
        let epochs = Atomic(0)
        let result = try Trainer(.attention(heads: 2), options: options(.adamw)).fit(
            needleSet(count: 40), progress: { epochs.store($0.epoch, ordering: .relaxed) },
            isInterrupted: { epochs.load(ordering: .relaxed) >= 3 })
        #expect(result.stop == .interrupted && result.history.count == 3)
        let whole = try Trainer(.attention(heads: 2), options: options(.adamw)).fit(needleSet(count: 40))
        #expect(result.history == Array(whole.history.prefix(3)))
    }

    @Test func splitKeepsGroupsAndClasses() throws {
        let batch = try randomBatch(lengths: Array(repeating: 1, count: 200), width: 1, seed: 1)
        let groups = (0..<200).map { $0 / 5 }
        let labels = groups.map { $0 % 2 }
        let set = try ActivationSet([ActivationFile(batch, targets: .classes(labels), groups: groups)])
        for seed in 0..<5 as Range<UInt64> {
            let (first, second) = set.split(fraction: 0.2, seed: seed)
            #expect((first + second).sorted() == Array(0..<200) && second.count == 40)
            #expect(Set(first.map { groups[$0] }).isDisjoint(with: second.map { groups[$0] }))
            #expect(second.filter { labels[$0] == 1 }.count == 20)
        }
        #expect(set.split(fraction: 0.2, seed: 0).second != set.split(fraction: 0.2, seed: 1).second)
    }

    @Test func oneClassIsRefused() throws {
        let batch = try randomBatch(lengths: [2, 3], width: 2, seed: 1)
        let set = try ActivationSet([
            ActivationFile(batch, targets: .classes([1, 1]), classes: ["no", "yes"])
        ])
        let error = try #require(throws: DataError.self) { try Trainer(.mean).fit(set) }
        #expect(error.rule == .singleClass && error.description.contains("only class yes"))
    }

    @Test func groupsThatCannotBeSplit() throws {
        let batch = try randomBatch(lengths: [2, 3, 4, 5], width: 2, seed: 1)
        let set = try ActivationSet([
            ActivationFile(batch, targets: .classes([0, 1, 0, 1]), groups: [1, 1, 1, 1])
        ])
        let trainer = Trainer(.mean, options: options(.lbfgs) { $0.validationFraction = 0.3 })
        #expect(try #require(throws: DataError.self) { try trainer.fit(set) }.rule == .singleClass)
    }

    // What is learnt is the same in any unit of the targets; the loss is in theirs.
    @Test(arguments: [ProbeConfiguration.attention(heads: 2), .mean]) func regressionOfAnyScale(
        configuration: ProbeConfiguration
    ) throws {
        let batch = try randomBatch(lengths: (0..<60).map { 3 + $0 % 9 }, width: 4, seed: 7)
        let plain = try ActivationSet([ActivationFile(batch)])
        var scratch: [Float] = []
        let means = plain.indices.map { index in
            plain[index].withTokens(0..<plain[index].count, scratch: &scratch) { tokens in
                (0..<plain[index].count).reduce(Float(0)) { $0 + tokens[$1 * 4] } / Float(plain[index].count)
            }
        }
        var losses: [Double] = []
        for (scale, offset) in [(Float(1), Float(0)), (300, 1000), (1e9, 0), (1e-6, 1e-6)] {
            let storage = means.map { offset + scale * $0 }
            let values = Targets.values(Matrix(rows: 60, columns: 1, storage: storage))
            let data = try ActivationSet([ActivationFile(batch, targets: values)])
            let result = try Trainer(configuration).fit(data)
            let evaluation = try result.probe.evaluate(data)
            #expect(try #require(evaluation.r2) > 0.9)
            let loss = try #require(result.best).loss
            let unit = Double(scale * scale)
            #expect(abs(loss - evaluation.loss) < 1e-3 * loss + 1e-9 * unit)
            losses.append(loss / unit)
        }
        #expect(abs(losses[2] - losses[0]) < 1e-5, "\(losses)")
    }

    @Test func nothingToLearnIsNoInterruption() throws {
        let batch = try RaggedBatch([[1, 2], [1, 2]], width: 2)
        let set = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1]))])
        let result = try Trainer(.mean).fit(set)
        #expect(result.stop == .converged && result.best?.epoch == 0)
        #expect(try abs(#require(result.best?.loss) - log(2)) < 1e-12)
    }

    @Test func validationLabelsOutsideTheClasses() throws {
        let batch = try randomBatch(lengths: [1, 2, 3], width: 2, seed: 1)
        let training = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 0]))])
        let validation = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 7]))])
        let error = try #require(throws: DataError.self) {
            try Trainer(.mean).fit(training, validation: validation)
        }
        #expect(error.rule == .labels && error.description.contains("found 7"))
    }

    // At L = 4096 a position weight of 0.01 moves the farthest logit by 40: an optimiser that took
    // steps of a usual size there would lose the needle.
    @Test(arguments: Optimizer.allCases)
    func positionWeightsOfLongSequences(optimizer: Optimizer) throws {
        let change: (inout TrainingOptions) -> Void = { ($0.epochs, $0.tokenDropout) = (60, 0) }
        let data = try needleSet(count: 48, width: 4, lengths: 4096...6000, needles: 50)
        let result = try Trainer(.attention(heads: 2), options: options(optimizer, change)).fit(data)
        let test = try needleSet(count: 48, width: 4, lengths: 4096...6000, needles: 50, seed: 2)
        #expect(try #require(result.probe.evaluate(test).auroc) > 0.9)
        let positions = try #require(result.probe.tensor("position_weight"))
        #expect(positions.allSatisfy { abs($0) * 4096 < 20 }, "\(positions)")
    }
}
