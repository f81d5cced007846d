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
        let folds = try data.folds(count, seed: seed) { metric.isDefined(targets, $0, task) }
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
        guard try metric.isDefined(targets(for: task), Array(indices), task) else {
            throw labelError(
                .singleClass, expected: "labels for which \(metric.scoreTitle) is defined",
                found: "the same for all \(count) sequences")
        }
    }
}

extension Metric {
    /// Whether it is defined for the targets of some sequences, whatever the outputs.
    func isDefined(_ targets: Targets, _ rows: [Int], _ task: ProbeTask) -> Bool {
        let few = targets.selecting(targets.differing(rows, task))
        return score(Matrix(rows: few.count, columns: task.outputs), few, task) != nil
    }
}

extension Targets {
    // Of some sequences those that show what there is: one of each class, or of each output the first and another that differs
    // from it. Where a metric is defined for them it is for all, and a look at 1000 labels of 100,000 sequences is short.
    fileprivate func differing(_ rows: [Int], _ task: ProbeTask) -> [Int] {
        guard let first = rows.first else { return [] }
        if let classes = hardClasses {
            var seen: Set<Int> = []
            return rows.filter { seen.insert(classes[$0]).inserted }
        }
        guard case .values(let values) = self else { return [first] }
        let areMarks = task.kind == .multilabel
        func number(_ row: Int, _ column: Int) -> Float {
            areMarks ? (values[row, column] >= 0.5 ? 1 : 0) : values[row, column]
        }
        let others = (0..<values.columns).compactMap { column in
            rows.first { number($0, column) != number(first, column) }
        }
        return [first] + Set(others).sorted()
    }
}
