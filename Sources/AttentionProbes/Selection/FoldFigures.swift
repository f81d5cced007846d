// Folds in which a selection has its figure, found before anything is trained.
private import Tensors

extension Selection {
    /// The folds of a set. The figure that candidates are compared by is defined in each: for several labels
    /// a sequence, of at least one label; for numbers, of at least one output.
    ///
    /// - Throws: `DataError` where there is no sequence, labels are missing or do not fit, classes or groups are too small for the
    ///   folds, or labels or numbers vary too little.
    public func split(_ data: ActivationSet, task: ProbeTask) throws -> Folds {
        try data.checkNotEmpty()
        try data.checkLengths(data.indices)
        let metric = metric ?? .suited(to: task)
        let data = try data.labelled(for: task)
        try data.checkFigure(metric, task)
        let (targets, count) = (try data.targets(for: task), folds(for: data))
        // By class there are no folds without.
        if case .classes = targets { return try data.folds(count, seed: seed) }
        let folds = try data.folds(count, seed: seed) { metric.isDefined(targets.selecting($0), task) }
        guard let folds else {
            throw data.labelError(
                .singleClass,
                expected: "labels that vary within each of \(count) folds, as \(metric.title) needs",
                found: "none in \(ActivationSet.attempts) attempts\(ActivationSet.fewerFolds)")
        }
        return folds
    }
}

extension ActivationSet {
    /// Refuses labels for which a figure is not defined.
    func checkFigure(_ metric: SelectionMetric, _ task: ProbeTask) throws {
        guard try metric.isDefined(targets(for: task), task) else {
            throw labelError(
                .singleClass, expected: "labels for which \(metric.title) is defined",
                found: "the same for all \(count) sequences")
        }
    }
}

extension SelectionMetric {
    /// Whether there is a figure of these targets, whatever the outputs.
    fileprivate func isDefined(_ targets: Targets, _ task: ProbeTask) -> Bool {
        value(Matrix(rows: targets.count, columns: task.outputs), targets, task) != nil
    }
}
