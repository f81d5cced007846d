import AttentionProbes
@testable import ProbeMetrics
@testable import Probes
@testable import ProbeTraining
import TestSupport
import Testing

// A sequence with the probability y is y of a positive and 1 - y of a negative: each set here has one soft label a
// sequence, and beside it every sequence twice, with weights.
@Suite("Soft labels in training and metrics")
struct SoftLabelTests {
    private let labels: [Float]
    private let soft: ActivationSet
    private let doubled: ActivationSet

    init() throws {
        let labels = (0..<24).map { [0.1, 0.7, 0.3, 0.95, 0.45, 1, 0, 0.5][$0 % 8] as Float }
        self.labels = labels
        let batch = try randomBatch(lengths: (0..<24).map { 2 + $0 % 5 }, width: 4, seed: 5)
        soft = try ActivationSet([
            ActivationFile(batch, targets: .probabilities(labels), classes: ["a", "b"])
        ])
        let parts = labels.indices.flatMap { i in
            [(i, 0, 1 - labels[i]), (i, 1, labels[i])].filter { $0.2 > 0 }
        }
        let rows = parts.map { batch.offsets[$0.0]..<batch.offsets[$0.0 + 1] }
        let all = randomFloats(batch.offsets.last! * 4, seed: 5)
        let copies = try RaggedBatch(
            rows.map { Array(all[$0.lowerBound * 4..<$0.upperBound * 4]) }, width: 4)
        doubled = try ActivationSet([
            ActivationFile(
                copies, targets: .classes(parts.map(\.1)), classes: ["a", "b"], weights: parts.map(\.2))
        ])
    }

    // Sums over 24 sequences of weight 1 in all, beside means over more of weight 1 in the mean.
    @Test func lossAndGradient() throws {
        let task = try soft.task()
        for configuration in [
            ProbeConfiguration.attention(heads: 2), .mean, ProbeConfiguration(.swim, window: 2),
        ] {
            let shape = configuration.trainedArchitecture(width: 4, outputs: 1)
            let parameters = randomFloats(shape.tensors.parameterCount, seed: 6)
            func gradient(_ data: ActivationSet) throws -> (loss: Double, gradient: [Float]) {
                try Objective(
                    shape, data, task, loss: configuration.kind.tokenLoss?(configuration),
                    weights: data.trainingWeights(.none), threads: 1
                ).gradient(parameters)
            }
            let (a, b) = (try gradient(soft), try gradient(doubled))
            #expect(abs(a.loss - b.loss) < 1e-6 && relativeError(a.gradient, b.gradient) < 1e-5)
        }
    }

    // The convex path in double precision, and AdamW's batches, which learn the same order.
    @Test func trainings() throws {
        var options = TrainingOptions(.lbfgs)
        options.standardizes = false
        let one = try Trainer(.mean, options: options).fit(soft).probe
        let two = try Trainer(.mean, options: options).fit(doubled).probe
        for (a, b) in zip(one.parameters, two.parameters) { #expect(abs(a - b) < 1e-3) }
        var small = TrainingOptions(.adamw)
        (small.epochs, small.tokenDropout, small.validationFraction) = (20, 0, 0.25)
        let result = try Trainer(.attention(heads: 1), options: small).fit(soft)
        #expect(result.history.last!.loss < result.history[0].loss && result.validationCount > 0)
    }

    // What is fitted in one step, and weights of classes, take the classes that labels are cut to.
    @Test func cutClasses() throws {
        let hard = try ActivationSet([
            ActivationFile(
                soft.files[0].batch, targets: .classes(soft.targets!.hardClasses!), classes: ["a", "b"])
        ])
        for kind in [ProbeKind.massMean, .lda] {
            let (a, b) = (
                try Trainer(ProbeConfiguration(kind)).fit(soft).probe,
                try Trainer(ProbeConfiguration(kind)).fit(hard).probe
            )
            #expect(a.parameters == b.parameters)
        }
        #expect(soft.trainingWeights(.balanced) == hard.trainingWeights(.balanced))
        let high = try ActivationSet([
            ActivationFile(
                soft.files[0].batch, targets: .probabilities(labels.map { 0.5 + $0 / 2 }),
                classes: ["a", "b"])
        ])
        let error = #expect(throws: DataError.self) { try Trainer(.mean).fit(high) }
        #expect("\(error!)".hasSuffix("found only class b, where labels are cut at 0.5"))
    }

    // Losses, the Brier score and the calibration error by their formulas, the others as of the cut classes.
    @Test func metrics() throws {
        let probe = Probe(
            .mean, width: 4, task: try soft.task(), parameters: [0.5, -1, 0.3, 0.8, 0.1])
        let scored = try probe.scored(soft)
        let evaluation = try probe.evaluate(soft)
        let p = scored.probabilities.map { Double($0[0]) }
        let y = labels.map(Double.init)
        let brier = zip(p, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / 24
        #expect(abs(try #require(evaluation(.brierScore)).value - brier) < 1e-9)
        let bins = Dictionary(grouping: p.indices) { min(9, Int(p[$0] * 10)) }
        let error = bins.values.reduce(0) { sum, own in
            sum + abs(own.reduce(0) { $0 + p[$1] - y[$1] }) / 24
        }
        #expect(abs(try #require(evaluation(.expectedCalibrationError)).value - error) < 1e-6)
        let weighted = try probe.lossGradient(soft).loss
        #expect(abs(try #require(evaluation(.loss)).value - weighted) < 1e-6)
        #expect(evaluation.labelCut == 0.5)

        let hard = try ActivationSet([
            ActivationFile(
                soft.files[0].batch, targets: .classes(soft.targets!.hardClasses!), classes: ["a", "b"])
        ])
        let other = try probe.evaluate(hard)
        #expect(other.labelCut == nil && other.confusionMatrix == evaluation.confusionMatrix)
        for metric in [Metric.accuracy, .balancedAccuracy, .auroc, .averagePrecision, .f1, .recallAt5FPR] {
            #expect(evaluation(metric)?.value == other(metric)?.value)
        }
    }

    // Both calibrations are those of the doubled set, and so is the loss of a calibrated probe.
    @Test(arguments: [Calibration.Method.platt, .isotonic]) func calibration(method: Calibration.Method)
        throws
    {
        let logits = randomFloats(24, seed: 8).enumerated().map { $1 + 2 * labels[$0] }
        let one = try #require(Calibration(method, logits: logits, outcomes: labels))
        let parts = labels.indices.flatMap { i in
            [(logits[i], false, 1 - labels[i]), (logits[i], true, labels[i])].filter { $0.2 > 0 }
        }
        let two = try #require(
            Calibration(
                method, logits: parts.map(\.0), isPositive: parts.map(\.1), weights: parts.map(\.2)))
        for logit in stride(from: -3 as Float, to: 5, by: 0.25) {
            #expect(abs(one(logit) - two(logit)) < 1e-5)
            let expected = 0.3 * one.loss(logit, isPositive: true) + 0.7 * one.loss(logit, isPositive: false)
            #expect(abs(one.loss(logit, outcome: 0.3) - expected) < 1e-9)
        }
    }
}
