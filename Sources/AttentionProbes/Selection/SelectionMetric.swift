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
    func value(_ logits: Matrix, _ targets: Targets, _ task: ProbeTask) -> Double? {
        func confusion() -> ConfusionMatrix? {
            guard case .classes(let labels) = targets else { return nil }
            let predictions = labels.indices.map {
                task.predictedClasses(task.probabilities(logits[row: $0]), threshold: 0.5)[0]
            }
            return ConfusionMatrix(labels: labels, predictions: predictions, classes: max(2, task.outputs))
        }
        switch self {
        case .auroc: return mean(task.rankingCurves(logits, targets).compactMap(\.auroc))
        case .averagePrecision:
            return mean(task.rankingCurves(logits, targets).compactMap(\.averagePrecision))
        case .accuracy: return confusion()?.accuracy
        case .balancedAccuracy: return confusion()?.balancedAccuracy
        case .negativeLoss:
            var unused: [Float] = []
            let loss = (0..<logits.rows).reduce(0.0) {
                $0 + Loss(task)(Array(logits[row: $1]), targets[$1], gradient: &unused)
            }
            return -loss / Double(logits.rows)
        case .r2:
            guard case .values(let values) = targets else { return nil }
            return mean(
                (0..<logits.columns).compactMap { o in
                    let rows = 0..<logits.rows
                    return r2Score(rows.map { logits[$0, o] }, rows.map { values[$0, o] })
                })
        }
    }
}

extension ProbeTask {
    /// The ranking of sequences by each class: one curve for two classes, else one a class, for
    /// multiclass by its odds against all others; none for regression.
    func rankingCurves(_ logits: Matrix, _ targets: Targets) -> [RankingCurve] {
        let rows = 0..<logits.rows
        switch (self, targets) {
        case (.binary, .classes(let labels)):
            return [RankingCurve(scores: logits.storage, isPositive: labels.map { $0 == 1 })]
        case (.multiclass, .classes(let labels)):
            let odds = rows.map { ClassFigures.logOdds(Array(logits[row: $0])) }
            return (0..<outputs).map { c in
                RankingCurve(scores: odds.map { $0[c] }, isPositive: labels.map { $0 == c })
            }
        case (.multilabel, .values(let values)):
            return (0..<outputs).map { c in
                RankingCurve(
                    scores: rows.map { logits[$0, c] }, isPositive: rows.map { values[$0, c] >= 0.5 })
            }
        default: return []
        }
    }
}

/// The mean; nil of nothing.
func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}
