// The rows of a comparison: metrics of each model, and their differences to the baseline and to the best control, with
// intervals.
import Tensors
import Activations
import ProbeMetrics

/// What a model, or a control, says of some sequences.
struct ModelOutcome {
    let name: String
    var candidates: [SelectionResult.Row]?
    var logits: Matrix?
    var entropyRatio: Double?
    var failure: String?
    /// Of a comparison over layers the model, the layers and whether they are chosen.
    var model: String?
    var layers: [Int]?
    var chosen: Bool?
}

extension ProbeComparison {
    /// The rows of all models and controls on one test, and the control that is best on it.
    ///
    /// - Parameter folds: of out-of-fold scores the folds, in each of which the metric is found; else nil.
    func rows(
        _ outcomes: [ModelOutcome], controls: [ModelOutcome], _ test: ActivationSet, _ task: ProbeTask,
        _ folds: Folds?
    ) throws -> (rows: [Comparison.Row], controls: [Comparison.Row], bestControl: String?) {
        let metric = selection.metric ?? .suited(to: task)
        let targets = try test.targets(for: task)
        let judged = (outcomes + controls).map { $0.logits.map { Outcomes(task, targets, logits: $0) } }
        // Probes of several folds share no scale.
        @Sendable func parts(_ resample: [Int]) -> [[Int]] {
            guard let folds else { return [resample] }
            var parts = [[Int]](repeating: [], count: folds.count)
            for index in resample { parts[folds.assignment[index]].append(index) }
            return parts
        }
        @Sendable func values(_ resample: [Int]) -> [Double?] {
            let parts = parts(resample)
            return judged.map { outcomes in
                outcomes.flatMap { outcomes -> Double? in
                    let values = parts.map { metric.score(outcomes.sample(of: $0)) }
                    return values.contains(nil) ? nil : mean(values.compactMap(\.self))
                }
            }
        }
        let all = values(Array(test.indices))
        let (models, count) = (outcomes.count, judged.count)
        let best = (models..<count).filter { all[$0] != nil }.max { (all[$0]!, -$0) < (all[$1]!, -$1) }
        // Of all the values, then of the models what they have more than the baseline and than the best control.
        @Sendable func metrics(_ values: [Double?]) -> [Double?] {
            values
                + [0, best].flatMap { other in
                    values.prefix(models).map { value in
                        value.flatMap { value in other.flatMap { values[$0] }.map { value - $0 } }
                    }
                }
        }
        let classes = test.strata
        let strata = Dictionary(grouping: test.indices) { index in
            [folds?.assignment[index] ?? 0, classes[index]]
        }.sorted { ($0.key[0], $0.key[1]) < ($1.key[0], $1.key[1]) }
        let intervals = try bootstrap.intervals(strata: strata.map(\.value), threads: selection.threads) {
            metrics(values($0))
        }
        let found = metrics(all)
        let rows = (outcomes + controls).enumerated().map { i, own in
            let difference = i > 0 && i < models ? count + i : nil
            let above = i < models ? count + models + i : nil
            return Comparison.Row(
                name: own.name, value: found[i], low: intervals[i]?.lowerBound,
                high: intervals[i]?.upperBound,
                difference: difference.flatMap { found[$0] },
                differenceLow: difference.flatMap { intervals[$0]?.lowerBound },
                differenceHigh: difference.flatMap { intervals[$0]?.upperBound },
                aboveControl: above.flatMap { found[$0] },
                aboveControlInterval: above.flatMap { intervals[$0] },
                entropyRatio: own.entropyRatio, failure: own.failure, candidates: own.candidates,
                model: own.model, layers: own.layers, chosen: own.chosen)
        }
        return (
            Array(rows.prefix(models)), Array(rows.dropFirst(models)),
            best.map { controls[$0 - models].name }
        )
    }
}
