import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Calibration and thresholds")
struct CalibrationTests {
    private let logits: [Float] = [-3, -1.5, -1.5, -0.5, 0, 0.25, 0.25, 1, 2, 2.5, 4, 6]
    private let isPositive = [0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1].map { $0 == 1 }

    @Test func plattIsThatOfScikitLearn() throws {
        let calibration = try #require(Calibration(.platt, logits: logits, isPositive: isPositive))
        guard case .platt(let slope, let intercept) = calibration else {
            Issue.record("\(calibration)")
            return
        }
        // -a_ and -b_ of _SigmoidCalibration, whose search stops at about seven digits.
        #expect(abs(slope - 0.42686301648388103) < 1e-6)
        #expect(abs(intercept - 0.08304901903671712) < 1e-6)
        #expect(abs(calibration(2) - Float(1 / (1 + exp(-2 * slope - intercept)))) < 1e-7)
    }

    @Test func weightsAreThoseOfScikitLearn() throws {
        let weights: [Float] = [1, 2, 0.5, 3, 0.25, 1.5, 1, 4, 0.75, 2, 1, 0.5]
        let platt = Calibration(.platt, logits: logits, isPositive: isPositive, weights: weights)
        guard case .platt(let slope, let intercept) = platt else {
            Issue.record("\(String(describing: platt))")
            return
        }
        // Of _SigmoidCalibration with sample_weight, as above.
        #expect(abs(slope - 0.6901849265915987) < 1e-6)
        #expect(abs(intercept - -1.1626726986040254) < 1e-6)
        // IsotonicRegression with sample_weight
        let isotonic = Calibration(.isotonic, logits: logits, isPositive: isPositive, weights: weights)
        guard case .isotonic(let knots, let values) = isotonic else {
            Issue.record("\(String(describing: isotonic))")
            return
        }
        #expect(knots == [-3, -1.5, -0.5, 0, 1, 2, 6])
        let expected = [
            0, 0.09090909090909091, 0.09090909090909091, 0.18518518518518517, 0.18518518518518517, 1, 1,
        ]
        for (value, expected) in zip(values, expected) { #expect(abs(value - expected) < 1e-12) }
    }

    @Test func plattOfSeparableScoresIsFinite() throws {
        let calibration = try #require(
            Calibration(.platt, logits: [-900, -800, 800, 900], isPositive: [false, false, true, true]))
        #expect(calibration(900) > 0.7 && calibration(900) < 1 && calibration(-900) < 0.3)
        // Scores that rank the wrong way have no rising curve.
        #expect(Calibration(.platt, logits: [1, 2, -1, -2], isPositive: [false, false, true, true]) == nil)
        #expect(Calibration(.none, logits: logits, isPositive: isPositive) == nil)
    }

    @Test func isotonicIsThatOfScikitLearn() throws {
        let calibration = try #require(Calibration(.isotonic, logits: logits, isPositive: isPositive))
        #expect(
            calibration
                == .isotonic(
                    logits: [-3, -1.5, -0.5, 0, 1, 2, 6],
                    probabilities: [0, 1 / 3.0, 1 / 3.0, 0.5, 0.5, 1, 1]))
        let expected: [(Float, Float)] = [
            (-5, 0), (-1, 0.33333334), (0.1, 0.5), (0.6, 0.5), (1.5, 0.75), (3, 1), (9, 1),
        ]
        for (logit, probability) in expected { #expect(calibration(logit) == probability) }
    }

    @Test func clopperPearsonIsThatOfSciPy() {
        // scipy.stats.beta.ppf(0.95, k + 1, n - k)
        let cases = [
            (0, 299, 0.009969146792899269), (1, 500, 0.00945228220807518), (3, 500, 0.015433734876752685),
            (40, 1000, 0.051753401352160444),
        ]
        for (k, n, bound) in cases {
            #expect(abs(clopperPearsonUpperBound(k, of: n, confidence: 0.95) - bound) < 1e-12)
        }
        #expect(clopperPearsonUpperBound(5, of: 5, confidence: 0.9) == 1)
    }

    @Test func thresholdKeepsTheRate() throws {
        // One of 500 is allowed at 1 %: the threshold lies just above the second largest.
        let negatives = (0..<500).map { Float($0) / 1000 }.shuffled()
        let (threshold, rule) = try ThresholdRule.threshold(
            falsePositiveRate: 0.01, confidence: 0.95, negatives: negatives)
        #expect(threshold == Double(Float(0.498).nextUp) && rule.falsePositives == 1 && rule.negatives == 500)
        #expect(abs(rule.bound - 0.00945228220807518) < 1e-12)
        // Ties at the border stay below it.
        let tied = try ThresholdRule.threshold(
            falsePositiveRate: 0.01, confidence: 0.95, negatives: Array(repeating: 0.5, count: 500))
        #expect(tied.rule.falsePositives == 0 && tied.threshold > 0.5)
    }

    /// scikit-learn's `log_loss` of the probabilities finds these.
    @Test func lossOfCalibratedProbabilities() throws {
        for (method, expected) in [
            (Calibration.Method.platt, 0.5177976627849036), (.isotonic, 0.39017760226035164),
        ] {
            let calibration = try #require(Calibration(method, logits: logits, isPositive: isPositive))
            let losses = zip(logits, isPositive).map { calibration.loss($0, isPositive: $1) }
            #expect(abs(losses.reduce(0, +) / 12 - expected) < 1e-6)
        }
        // Probabilities of 0 and 1 that come out wrong cost -log 2⁻⁵²; right, next to nothing.
        let isotonic = Calibration.isotonic(logits: [-1, 1], probabilities: [0, 1])
        #expect(abs(isotonic.loss(-2, isPositive: true) - 52 * log(2)) < 1e-9)
        #expect(abs(isotonic.loss(2, isPositive: false) - 52 * log(2)) < 1e-9)
        #expect(isotonic.loss(2, isPositive: true) < 1e-15 && isotonic.loss(-2, isPositive: false) < 1e-15)
        // A curve is never 0 or 1, also where a float of it is.
        #expect(Calibration.platt(slope: 100, intercept: 0).loss(-10, isPositive: true) == 1000)
    }

    @Test(arguments: [Calibration.Method.none, .platt, .isotonic])
    func evaluationReportsTheLossOfItsProbabilities(method: Calibration.Method) throws {
        let data = try needleSet(count: 60)
        let probe = try Trainer(.mean).fit(needleSet(count: 40, seed: 2)).probe
        let logits = try probe.scores(data).logits.storage
        let isPositive = (0..<60).map { $0 % 2 == 1 }
        let calibrated = probe.deployed(
            threshold: 0.5, calibration: Calibration(method, logits: logits, isPositive: isPositive))
        let found = try calibrated.evaluate(data, bootstrap: Bootstrap(replicates: 50))
        let losses = zip(logits, isPositive).map { logit, isPositive in
            let p = Double(calibrated.probabilities(CollectionOfOne(logit))[0])
            return -log(min(max(isPositive ? p : 1 - p, .ulpOfOne), 1 - .ulpOfOne))
        }
        #expect(abs(found.loss - losses.reduce(0, +) / 60) < 1e-5)
        #expect(try #require(found.intervals["loss"]).contains(found.loss))
    }

    @Test(arguments: [1e-20, 1e-300, Double.leastNonzeroMagnitude])
    func aRateThatNoNumberOfNegativesPromises(rate: Double) throws {
        let fault = #expect(throws: ThresholdRule.Fault.self) {
            try ThresholdRule.check(falsePositiveRate: rate, confidence: 0.95, negatives: 100)
        }
        #expect("\(try #require(fault))".hasPrefix("expected at least "))
    }

    @Test func tooFewNegativesSayHowManyAreNeeded() {
        let few = [Float](repeating: 0.1, count: 298)
        #expect(throws: ThresholdRule.Fault.tooFewNegatives(found: 298, needed: 299)) {
            try ThresholdRule.threshold(falsePositiveRate: 0.01, confidence: 0.95, negatives: few)
        }
        #expect(throws: ThresholdRule.Fault.saturated) {
            try ThresholdRule.threshold(
                falsePositiveRate: 0.01, confidence: 0.95, negatives: Array(repeating: 1, count: 400))
        }
    }

    @Test func aProbeFileKeepsItsCalibration() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 20)
        let probe = try Trainer(.mean).fit(data).probe
        for method in [Calibration.Method.platt, .isotonic] {
            let calibration = Calibration(method, logits: logits, isPositive: isPositive)
            let deployed = probe.deployed(threshold: 0.25, calibration: calibration, noting: ["a": "b"])
            try deployed.write(to: folder("probe"))
            let read = try Probe(path: folder("probe"))
            #expect(read.calibration == calibration && read.threshold == 0.25 && read.training["a"] == "b")
            #expect(read.probabilities([2] as [Float]) == [calibration!(2)])
            #expect(read.probabilities([2] as [Float]) != read.task.probabilities([2]))
        }
    }
}
