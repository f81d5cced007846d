// The rows of a comparison: metrics of each model, and their differences to the baseline, with intervals.
import Tensors
import Activations
import ProbeMetrics

/// What a model says of some sequences.
struct ModelOutcome {
    let candidates: [SelectionResult.Row]
    var logits: Matrix?
    var entropyRatio: Double?
    var failure: String?
}

extension ProbeComparison {
    /// The rows of all models on one test.
    ///
    /// - Parameter folds: of out-of-fold scores the folds, in each of which the metric is found; else nil.
    func rows(
        _ outcomes: [ModelOutcome], _ test: ActivationSet, _ task: ProbeTask, _ folds: Folds?
    ) throws -> [Comparison.Row] {
        let metric = selection.metric ?? .suited(to: task)
        let targets = try test.targets(for: task)
        let judged = outcomes.map { $0.logits.map { Outcomes(task, targets, logits: $0) } }
        // Probes of several folds share no scale.
        @Sendable func parts(_ resample: [Int]) -> [[Int]] {
            guard let folds else { return [resample] }
            var parts = [[Int]](repeating: [], count: folds.count)
            for index in resample { parts[folds.assignment[index]].append(index) }
            return parts
        }
        @Sendable func metrics(_ resample: [Int]) -> [Double?] {
            let parts = parts(resample)
            let values = judged.map { outcomes in
                outcomes.flatMap { outcomes -> Double? in
                    let values = parts.map { metric.score(outcomes.sample(of: $0)) }
                    return values.contains(nil) ? nil : mean(values.compactMap(\.self))
                }
            }
            let differences = values.dropFirst().map { value in
                value.flatMap { value in values[0].map { value - $0 } }
            }
            return values + differences
        }
        let classes = test.strata
        let strata = Dictionary(grouping: test.indices) { index in
            [folds?.assignment[index] ?? 0, classes[index]]
        }.sorted { ($0.key[0], $0.key[1]) < ($1.key[0], $1.key[1]) }
        let intervals = try bootstrap.intervals(
            strata: strata.map(\.value), threads: selection.threads, metrics)
        let values = metrics(Array(test.indices))
        return models.indices.map { i in
            let difference = i == 0 ? nil : models.count + i - 1
            return Comparison.Row(
                name: models[i].name, value: values[i], low: intervals[i]?.lowerBound,
                high: intervals[i]?.upperBound, difference: difference.flatMap { values[$0] },
                differenceLow: difference.flatMap { intervals[$0]?.lowerBound },
                differenceHigh: difference.flatMap { intervals[$0]?.upperBound },
                entropyRatio: outcomes[i].entropyRatio, failure: outcomes[i].failure,
                candidates: outcomes[i].candidates)
        }
    }
}
