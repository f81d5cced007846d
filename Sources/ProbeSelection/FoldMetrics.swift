// Folds in which a selection has its metric, found before anything is trained.
package import Activations
import ProbeMetrics
import Tensors

extension Selection {
    /// The folds of a set. The metric that candidates are compared by is defined in each: for several labels
    /// a sequence, of at least one label; for numbers, of at least one output.
    ///
    /// - Throws: `DataError` where there is no sequence, labels are missing or do not fit, classes or groups are too small for the
    ///   folds, or labels or numbers vary too little.
    package func split(_ data: ActivationSet, task: ProbeTask) throws -> Folds {
        try data.checkNotEmpty()
        try data.checkLengths(data.indices)
        let metric = metric ?? .suited(to: task)
        let data = try data.labelled(for: task)
        try data.checkMetric(metric, task)
        let (targets, count) = (try data.targets(for: task), folds(for: data))
        // Folds by class have every class, so the metric is defined in each.
        if targets.hardClasses != nil { return try data.folds(count, seed: seed) }
        let folds = try data.folds(count, seed: seed) { metric.isDefined(targets.selecting($0), task) }
        guard let folds else {
            throw data.labelError(
                .singleClass,
                expected: "labels that vary within each of \(count) folds, as \(metric.scoreTitle) needs",
                found: "none in \(ActivationSet.attempts) attempts\(ActivationSet.fewerFolds)")
        }
        return folds
    }
}

extension ActivationSet {
    /// Refuses labels for which a metric is not defined.
    func checkMetric(_ metric: Metric, _ task: ProbeTask) throws {
        guard try metric.isDefined(targets(for: task), task) else {
            throw labelError(
                .singleClass, expected: "labels for which \(metric.scoreTitle) is defined",
                found: "the same for all \(count) sequences")
        }
    }
}

extension Metric {
    /// Whether it is defined for these targets, whatever the outputs.
    fileprivate func isDefined(_ targets: Targets, _ task: ProbeTask) -> Bool {
        score(Matrix(rows: targets.count, columns: task.outputs), targets, task) != nil
    }
}
