import Tensors

/// What candidates are compared by; higher is better.
public enum SelectionMetric: String, Sendable, CaseIterable {
    /// Area under the ROC curve: binary; multiclass and multilabel, the mean over classes.
    case auroc
    /// Average precision; likewise.
    case averagePrecision = "average-precision"
    /// The share predicted right (binary, multiclass).
    case accuracy
    /// The mean over classes of the share predicted right (binary, multiclass).
    case balancedAccuracy = "balanced-accuracy"
    /// The mean loss of the task, negative.
    case negativeLoss = "negative-loss"
    /// Coefficient of determination, mean over outputs that vary (regression).
    case r2

    /// The usual one of a task: the area under the ROC curve, for several classes accuracy, for
    /// regression R².
    public static func suited(to task: ProbeTask) -> SelectionMetric {
        switch task {
        case .binary, .multilabel: .auroc
        case .multiclass: .accuracy
        case .regression: .r2
        }
    }

    /// What people call it: "AUROC".
    public var title: String {
        switch self {
        case .auroc: "AUROC"
        case .averagePrecision: "average precision"
        case .accuracy: "accuracy"
        case .balancedAccuracy: "balanced accuracy"
        case .negativeLoss: "negative loss"
        case .r2: "R²"
        }
    }

    /// Whether a task has it.
    public func fits(_ task: ProbeTask) -> Bool {
        switch (self, task) {
        case (.negativeLoss, _): true
        case (.r2, .regression): true
        case (.r2, _), (_, .regression): false
        case (.accuracy, .multilabel), (.balancedAccuracy, .multilabel): false
        default: true
        }
    }

    /// The figure of outputs, N×O, against targets; nil where it is not defined, as an area where all
    /// are of one class.
    ///
    /// - Parameter weights: how much each sequence counts, scikit-learn's `sample_weight`; nil for all
    ///   alike.
    func value(
        _ logits: Matrix, _ targets: Targets, _ task: ProbeTask, weights: [Float]? = nil
    ) -> Double? {
        func curves() -> [RankingCurve] { task.rankingCurves(logits, targets, weights: weights) }
        func isRight(_ row: Int) -> Double {
            guard case .class(let label) = targets[row] else { return 0 }
            let probabilities = task.probabilities(logits[row: row])
            return task.predictedClasses(probabilities, threshold: 0.5)[0] == label ? 1 : 0
        }
        switch self {
        case .auroc: return mean(curves().compactMap(\.auroc))
        case .averagePrecision: return mean(curves().compactMap(\.averagePrecision))
        case .accuracy, .balancedAccuracy:
            guard case .classes(let labels) = targets else { return nil }
            guard self == .balancedAccuracy else { return mean(labels.indices, weights: weights, isRight) }
            let classes = Dictionary(grouping: labels.indices) { labels[$0] }.sorted { $0.key < $1.key }
            return mean(classes.map { mean($0.value, weights: weights, isRight) })
        case .negativeLoss:
            var unused: [Float] = []
            return -mean(0..<logits.rows, weights: weights) {
                Loss(task)(Array(logits[row: $0]), targets[$0], gradient: &unused)
            }
        case .r2:
            guard case .values(let values) = targets else { return nil }
            return mean(
                (0..<logits.columns).compactMap { o in
                    let rows = 0..<logits.rows
                    return r2Score(
                        rows.map { logits[$0, o] }, rows.map { values[$0, o] }, weights: weights)
                })
        }
    }
}

extension ProbeTask {
    /// The ranking of sequences by each class: one curve for two classes, else one a class, for
    /// multiclass by its odds against all others; none for regression.
    func rankingCurves(_ logits: Matrix, _ targets: Targets, weights: [Float]?) -> [RankingCurve] {
        let rows = 0..<logits.rows
        switch (self, targets) {
        case (.binary, .classes(let labels)):
            return [
                RankingCurve(scores: logits.storage, isPositive: labels.map { $0 == 1 }, weights: weights)
            ]
        case (.multiclass, .classes(let labels)):
            let odds = rows.map { ClassFigures.logOdds(Array(logits[row: $0])) }
            return (0..<outputs).map { c in
                RankingCurve(
                    scores: odds.map { $0[c] }, isPositive: labels.map { $0 == c }, weights: weights)
            }
        case (.multilabel, .values(let values)):
            return (0..<outputs).map { c in
                RankingCurve(
                    scores: rows.map { logits[$0, c] }, isPositive: rows.map { values[$0, c] >= 0.5 },
                    weights: weights)
            }
        default: return []
        }
    }
}
