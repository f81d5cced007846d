import AttentionProbes
@testable import Probes
@testable import ProbeMetrics
import Synchronization
import TestSupport
import Testing

@Suite("Confidence intervals")
struct BootstrapTests {
    // numpy.quantile([1, 2, 4, 8], [0, 0.025, 0.5, 0.975, 1])
    @Test func quantiles() {
        let values: [Double] = [1, 2, 4, 8]
        let expected = [1, 1.075, 3, 7.7, 8]
        for (fraction, expected) in zip([0, 0.025, 0.5, 0.975, 1], expected) {
            #expect(abs(quantile(values, fraction) - expected) < 1e-12)
        }
    }

    // The mean of 100 coin tosses: half, and 1.96 standard errors of 0.05 to each side.
    @Test func theMeanOfATosses() throws {
        let tosses = (0..<100).map { $0 % 2 }
        let interval = try #require(
            Bootstrap(replicates: 4000, seed: 1).intervals(strata: [Array(0..<100)]) { resample in
                [resample.reduce(0.0) { $0 + Double(tosses[$1]) } / 100]
            }[0])
        #expect(abs(interval.lowerBound - 0.402) < 0.02 && abs(interval.upperBound - 0.598) < 0.02)
    }

    // Of 41 resamples the second lowest and the second highest metric: 0.025 and 0.975 of the way.
    @Test func theMiddleOfTheResamples() throws {
        let drawn = Mutex<[Double]>([])
        let interval = try #require(
            Bootstrap(replicates: 41, seed: 2).intervals(strata: [Array(0..<50)]) { resample in
                let sum = resample.reduce(0.0) { $0 + Double($1 * $1) }
                drawn.withLock { $0.append(sum) }
                return [sum]
            }[0])
        let sorted = drawn.withLock { $0.sorted() }
        #expect(Set(sorted).count == 41 && interval == sorted[1]...sorted[39])
    }

    @Test func strataKeepTheirSize() throws {
        let sizes = try Bootstrap(replicates: 20).intervals(strata: [[0, 1, 2], [], [3, 4]]) { resample in
            [Double(resample.count { $0 < 3 }), Double(resample.count { $0 >= 3 })]
        }
        #expect(sizes == [3...3, 2...2])
    }

    @Test func theSeedDecidesAndThreadsDoNot() throws {
        let data = try needleSet(count: 40)
        let probe = try Trainer(.mean).fit(data).probe
        func intervals(_ seed: UInt64, _ threads: Int) throws -> [String: ClosedRange<Double>] {
            try probe.evaluate(
                data, threads: threads, bootstrap: Bootstrap(replicates: 50, seed: seed)
            ).intervals
        }
        let reference = try intervals(1, 1)
        #expect(reference.count == 13)
        #expect(try intervals(1, 3) == reference)
        #expect(try intervals(2, 1) != reference)
        let evaluation = try probe.evaluate(data)
        #expect(evaluation.intervals.isEmpty)
        #expect(try #require(reference["auroc"]).contains(#require(evaluation.auroc)))
    }

    @Test func aMetricThatSomeResampleLacksHasNoInterval() throws {
        let found = try Bootstrap(replicates: 30).intervals(strata: [[0, 1]]) { resample in
            [resample[0] == 0 ? nil : 1, 2]
        }
        #expect(found == [nil, 2...2])
    }

    private let resamples = Bootstrap(replicates: 40, seed: 3)

    private func evaluate(
        _ task: ProbeTask, _ targets: Matrix, _ logits: [Float], threads: Int = 2
    ) throws -> Evaluation {
        try evaluate(task, .values(targets), logits, threads: threads)
    }

    private func evaluate(
        _ task: ProbeTask, _ targets: Targets, _ logits: [Float], threads: Int = 2
    ) throws -> Evaluation {
        let rows = targets.count
        let batch = try randomBatch(lengths: Array(repeating: 2, count: rows), width: 2, seed: 1)
        let data = try ActivationSet([ActivationFile(batch, targets: targets, classes: task.classes)])
        let probe = Probe(
            .mean, width: 2, task: task,
            parameters: randomFloats(
                ProbeConfiguration.mean.architecture(width: 2, outputs: task.outputs).tensors.parameterCount,
                seed: 1))
        let outputs = Matrix(rows: rows, columns: task.outputs, storage: logits)
        return try ScoredSet(probe, data, Scores(range: 0..<rows, logits: outputs, entropies: nil))
            .evaluation(threads: threads, bootstrap: resamples)
    }

    private func expectIntervals(
        _ evaluation: Evaluation, _ names: [String], _ expected: [ClosedRange<Double>?]
    ) throws {
        for (name, expected) in zip(names, expected) {
            let (found, expected) = (try #require(evaluation.intervals[name]), try #require(expected))
            #expect(abs(found.lowerBound - expected.lowerBound) < 1e-12, "\(name)")
            #expect(abs(found.upperBound - expected.upperBound) < 1e-12, "\(name)")
            #expect(found.lowerBound < found.upperBound, "\(name)")
            #expect(evaluation.metrics.first { $0.metric.key == name }?.interval == found, "\(name)")
        }
    }

    // Each resample judged as a set of its own.
    @Test func rankingAndCalibrationOfTwoClasses() throws {
        let noise = randomFloats(90, seed: 8)
        let labels = (0..<90).map { $0 % 3 == 0 ? 1 : 0 }
        let logits = zip(labels, noise).map { (Float($0) + $1).rounded(.down) + 0.5 * $1 }
        let task = ProbeTask.binary(classes: ["no", "yes"])
        let evaluation = try evaluate(task, .classes(labels), logits)
        let strata = [0, 1].map { c in labels.indices.filter { labels[$0] == c } }
        let expected = try resamples.intervals(strata: strata) { resample -> [Double?] in
            let isPositive = resample.map { labels[$0] == 1 }
            let curve = RankingCurve(scores: resample.map { logits[$0] }, isPositive: isPositive)
            let probabilities = resample.map { task.probabilities([logits[$0]][...]) }
            return [0.001, 0.01, 0.05].map { curve.recall(atFalsePositiveRate: $0) } + [
                brierScore(probabilities, resample.map { labels[$0] }),
                expectedCalibrationError(probabilities.map { $0[0] }, isPositive),
            ]
        }
        try expectIntervals(
            evaluation,
            [
                "recall_at_0_1_fpr", "recall_at_1_fpr", "recall_at_5_fpr", "brier_score",
                "expected_calibration_error",
            ], expected)
    }

    @Test func calibrationOfSeveralClasses() throws {
        let labels = (0..<60).map { $0 % 3 }
        let logits = randomFloats(180, seed: 9).enumerated().map { i, noise in
            noise + (i % 3 == labels[i / 3] ? 1 : 0)
        }
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        let evaluation = try evaluate(task, .classes(labels), logits)
        let strata = (0..<3).map { c in labels.indices.filter { labels[$0] == c } }
        let expected = try resamples.intervals(strata: strata) { resample -> [Double?] in
            let probabilities = resample.map { task.probabilities(logits[3 * $0..<3 * $0 + 3]) }
            let isRight = zip(probabilities, resample).map { p, i in p[labels[i]] == p.max()! }
            return [
                brierScore(probabilities, resample.map { labels[$0] }),
                expectedCalibrationError(probabilities.map { $0.max()! }, isRight),
            ]
        }
        try expectIntervals(evaluation, ["brier_score", "expected_calibration_error"], expected)
        #expect(evaluation.recallAt1FPR == nil && evaluation.intervals["recall_at_1_fpr"] == nil)
    }

    // Each resample judged as a set of its own, sorted anew.
    @Test func severalLabelsAreDrawnTogether() throws {
        let (rows, classes) = (50, 3)
        let logits = randomFloats(rows * classes, seed: 4).map { ($0 * 4).rounded() / 4 }
        let labels = zip(logits, randomFloats(rows * classes, seed: 5)).map { Float($0 + $1 > 0.5 ? 1 : 0) }
        let task = ProbeTask.multilabel(classes: ["a", "b", "c"])
        let targets = Matrix(rows: rows, columns: classes, storage: labels)
        let evaluation = try evaluate(task, targets, logits)
        let expected = try resamples.intervals(strata: [Array(0..<rows)]) { resample -> [Double?] in
            let curves = (0..<classes).map { c in
                RankingCurve(
                    scores: resample.map { logits[$0 * classes + c] },
                    isPositive: resample.map { labels[$0 * classes + c] == 1 })
            }
            let matrices = (0..<classes).map { c in
                ConfusionMatrix(
                    labels: resample.map { Int(labels[$0 * classes + c]) },
                    predictions: resample.map { logits[$0 * classes + c] >= 0 ? 1 : 0 }, classes: 2)
            }
            let right = resample.count { i in
                (0..<classes).allSatisfy {
                    (logits[i * classes + $0] >= 0) == (labels[i * classes + $0] == 1)
                }
            }
            return [
                Double(right) / Double(rows), mean(curves.compactMap(\.auroc)),
                mean(curves.compactMap(\.averagePrecision)),
                mean(
                    matrices.map {
                        let (right, wrong) = ($0.counts[1][1], $0.counts[0][1] + $0.counts[1][0])
                        return right + wrong == 0 ? 0 : 2 * Double(right) / Double(2 * right + wrong)
                    }),
            ]
        }
        for (name, expected) in zip(["accuracy", "auroc", "average_precision", "f1"], expected) {
            let (found, expected) = (try #require(evaluation.intervals[name]), try #require(expected))
            #expect(abs(found.lowerBound - expected.lowerBound) < 1e-12, "\(name)")
            #expect(abs(found.upperBound - expected.upperBound) < 1e-12, "\(name)")
            let whole = try #require(evaluation.metrics.first { $0.metric.key == name })
            #expect(found.contains(whole.value) && whole.interval == found, "\(name)")
        }
        #expect(evaluation.intervals["loss"]!.contains(evaluation.loss))
        #expect(try evaluate(task, targets, logits, threads: 1).intervals == evaluation.intervals)
    }

    /// A resample without a rare class does not count it as missed.
    @Test func aRareClassPullsNothingDown() throws {
        let labels = (0..<30).flatMap { i -> [Float] in [i % 2 == 0 ? 1 : 0, i == 7 ? 1 : 0] }
        let evaluation = try evaluate(
            .multilabel(classes: ["half", "rare"]), Matrix(rows: 30, columns: 2, storage: labels),
            labels.map { 2 * $0 - 1 })
        #expect(evaluation.f1 == 1 && evaluation.intervals["f1"] == 1...1)
        #expect(evaluation.intervals["auroc"] == 1...1)
    }

    @Test func numbersHaveIntervals() throws {
        let targets = randomFloats(80, seed: 6)
        let predictions = zip(targets, randomFloats(80, seed: 7)).map { $0 + 0.4 * $1 }
        let evaluation = try evaluate(
            .regression(outputs: 2), Matrix(rows: 40, columns: 2, storage: targets), predictions)
        let expected = try resamples.intervals(strata: [Array(0..<40)]) { resample in
            let pairs = (0..<2).map { o in
                (resample.map { predictions[2 * $0 + o] }, resample.map { targets[2 * $0 + o] })
            }
            return [
                mean(pairs.compactMap { r2Score($0.0, $0.1) }),
                meanSquaredError(pairs.flatMap(\.0), pairs.flatMap(\.1)),
            ]
        }
        for (name, expected) in zip(["r2", "mean_squared_error"], expected) {
            let (found, expected) = (try #require(evaluation.intervals[name]), try #require(expected))
            #expect(abs(found.lowerBound - expected.lowerBound) < 1e-12, "\(name)")
            #expect(abs(found.upperBound - expected.upperBound) < 1e-12, "\(name)")
        }
        #expect(evaluation.intervals["r2"]!.contains(try #require(evaluation.r2)))
        #expect(evaluation.intervals["r2"]!.upperBound < 0.97)
    }
}
