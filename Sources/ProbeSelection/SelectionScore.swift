package import Activations
package import ProbeMetrics
import Tensors

// Candidates are compared by a metric, or by its negative where less of it is better: higher wins.
extension Metric {
    /// The usual one to select by: the area under the ROC curve, for several classes accuracy, for regression R².
    package static func suited(to task: ProbeTask) -> Metric {
        switch task.kind {
        case .binary, .multilabel: .auroc
        case .multiclass: .accuracy
        case .regression: .r2
        }
    }

    /// What a selection by it is called on the command line and in probe files: "balanced-accuracy", "negative-loss".
    package var scoreName: String {
        (isHigherBetter ? "" : "negative-") + String(key.map { $0 == "_" ? "-" : $0 })
    }

    /// And what people call it: "balanced accuracy", "negative loss".
    package var scoreTitle: String { (isHigherBetter ? "" : "negative ") + name }

    /// The metric of a sample, higher is better; nil where it is not defined.
    func score(_ sample: Sample) -> Double? { self(sample).map { isHigherBetter ? $0 : -$0 } }

    /// The same of outputs, N×O, against targets.
    ///
    /// - Parameter weights: how much each sequence counts, scikit-learn's `sample_weight`; nil for all alike.
    func score(_ logits: Matrix, _ targets: Targets, _ task: ProbeTask, weights: [Float]? = nil) -> Double? {
        score(Outcomes(task, targets, logits: logits).sample(weights: weights))
    }

    /// The same of outputs that probes gave sequences of folds they did not see: in each fold, the mean of these, and of
    /// all together. Probes of different folds have outputs on different scales, so where the metric looks at the order of
    /// outputs alone, those of each fold are standardised for the last.
    func score(
        _ logits: Matrix, _ folds: Folds, _ targets: Targets, _ task: ProbeTask, weights: [Float]?
    ) -> (folds: [Double?], mean: Double?, pooled: Double?) {
        let scores: [Double?] = (0..<folds.count).map { fold in
            let rows = folds.heldOut(fold)
            let own = Matrix(
                rows: rows.count, columns: logits.columns, storage: rows.flatMap { logits[row: $0] })
            return score(
                own, targets.selecting(rows), task,
                weights: weights.map { all in rows.map { all[$0] } })
        }
        return (
            scores, scores.contains(nil) ? nil : mean(scores.compactMap(\.self)),
            score(pooled(logits, folds, targets, task).sample(weights: weights))
        )
    }

    /// What all sequences together have, of which the last of these is the metric.
    func pooled(_ logits: Matrix, _ folds: Folds, _ targets: Targets, _ task: ProbeTask) -> Outcomes {
        let isStandardized = isOfOrder && (task.kind == .binary || task.kind == .multilabel)
        return Outcomes(
            task, targets,
            logits: isStandardized
                ? OutputScale(folds, logits, targets, task).standardized(logits, folds) : logits)
    }
}
