import AttentionProbes
import Foundation
import TestSupport
import Testing

extension Metric {
    /// The mean distance of the probability from what came true: a metric that the library does not have.
    fileprivate static let absoluteError = Metric(
        "absolute error", key: "absolute_error", tasks: [.binary], isHigherBetter: false
    ) { sample in
        guard case .classes(let labels) = sample.outcomes.targets else { return nil }
        let probabilities = sample.outcomes.probabilities
        return sample.mean { abs(Double(probabilities[$0][0]) - Double(labels[$0])) }
    }
}

@Suite("Metrics from outside and their list")
struct OwnMetricTests {
    @Test func anEvaluationHasIt() throws {
        let data = try needleSet(count: 40)
        let probe = try Trainer(.mean).fit(data).probe
        let evaluation = try probe.evaluate(
            data, metrics: Metric.all + [.absoluteError], bootstrap: Bootstrap(replicates: 20, seed: 1))
        let found = try #require(evaluation.metrics.last)
        #expect(found.metric == .absoluteError && found.value > 0 && found.value < 0.5)
        #expect(try #require(found.interval).contains(found.value))
        #expect(evaluation.metrics.count == 14 && evaluation.intervals.count == 14)
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(evaluation))
        let written = try #require((json as? [String: Any])?["absolute_error"] as? Double)
        #expect(abs(written - found.value) < 1e-12)
        // The others are as without it.
        #expect(try probe.evaluate(data).metrics.map(\.value) == evaluation.metrics.dropLast().map(\.value))
    }

    // By fold, the mean by weight of what the out-of-fold outputs miss, negative.
    @Test func aSelectionGoesByIt() throws {
        let plain = try needleSet(count: 60)
        let weights = (0..<60).map { Float($0 % 3) + 0.5 }
        let data = try ActivationSet([
            ActivationFile(plain.files[0].batch, targets: plain.targets, weights: weights)
        ])
        var grid = CandidateGrid()
        (grid.kinds, grid.l2) = ([.mean], [0.01])
        var selection = Selection(grid.candidates(for: try data.task()) { $0.options.epochs = 5 })
        (selection.folds, selection.average, selection.metric) = (3, 1, .absoluteError)
        let result = try selection.run(data)
        let outputs = try #require(result.chosen.outOfFold)
        guard case .classes(let labels)? = data.targets else { return #expect(Bool(false)) }
        for fold in 0..<3 {
            var (sum, total) = (0.0, 0.0)
            for row in result.folds.heldOut(fold) {
                let p = try data.task().probabilities(outputs[row: row])[0]
                sum += Double(weights[row]) * abs(Double(p) - Double(labels[row]))
                total += Double(weights[row])
            }
            #expect(abs(try #require(result.chosen.folds[fold]) + sum / total) < 1e-12)
        }
        #expect(try result.deployed(data).training["selection"]?.contains("negative-absolute-error") == true)
    }

    // With sample_weight, all metrics of one sequence twice are those of it with the weight 2.
    @Test(arguments: ProbeTask.Kind.allCases)
    func weightsCountAsRepetitions(kind: ProbeTask.Kind) throws {
        let (rows, classes) = (24, ["a", "b", "c"])
        let task: ProbeTask =
            switch kind {
            case .binary: .binary(classes: ["a", "b"])
            case .multiclass: .multiclass(classes: classes)
            case .multilabel: .multilabel(classes: classes)
            case .regression: .regression(outputs: 2)
            }
        let outputs = task.outputs
        let logits = Matrix(
            rows: rows, columns: outputs, storage: randomFloats(rows * outputs, seed: 2).map { $0 * 4 })
        let noise = randomFloats(rows * outputs, seed: 3)
        let targets: Targets =
            switch kind {
            case .binary, .multiclass: .classes((0..<rows).map { $0 % max(2, outputs) })
            case .multilabel:
                .values(Matrix(rows: rows, columns: outputs, storage: noise.map { $0 > 0 ? 1 : 0 }))
            case .regression: .values(Matrix(rows: rows, columns: outputs, storage: noise))
            }
        let weights = (0..<rows).map { Float($0 % 3 + 1) }
        let repeated = (0..<rows).flatMap { Array(repeating: $0, count: $0 % 3 + 1) }
        let more = Outcomes(
            task, targets.selecting(repeated),
            logits: Matrix(
                rows: repeated.count, columns: outputs, storage: repeated.flatMap { logits[row: $0] }))
        let weighted = Outcomes(task, targets, logits: logits).sample(weights: weights)
        for metric in Metric.all where metric.fits(task) {
            let (own, other) = (try #require(metric(weighted)), try #require(metric(more.sample())))
            #expect(abs(own - other) < 1e-9, "\(metric.name): \(own), \(other)")
        }
    }

    @Test func theDocumentationNamesAll() throws {
        let text = try String(contentsOfFile: Command.package + "/docs/command-line.md", encoding: .utf8)
        let table = try #require(text.components(separatedBy: "| metric |").dropFirst().first)
            .components(separatedBy: "\n\n")[0]
        for metric in Metric.all { #expect(table.contains("`\(metric.key)`"), "\(metric.key)") }
        #expect(Set(Metric.all).count == Metric.all.count)
    }
}
