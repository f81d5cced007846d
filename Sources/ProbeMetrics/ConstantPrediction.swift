private import Glibc
package import Activations
import Tensors

extension Outcomes {
    /// What predictions that are the same for every sequence come to beside the labels, as scikit-learn's
    /// `DummyClassifier` and `DummyRegressor` make them: the frequency of each class, or the mean of each number; and where
    /// a class may be absent, also that it always is and that it never is.
    ///
    /// - Precondition: targets of the task's form, at least one.
    package static func constants(_ task: ProbeTask, _ targets: Targets) -> [Outcomes] {
        let rows: [[Float]]
        switch targets {
        case .classes, .probabilities:
            let classes = targets.hardClasses!
            let counts = (0..<(task.isBinary ? 2 : task.outputs)).map { c in classes.count { $0 == c } }
            rows =
                task.isBinary
                ? [[logOdds(counts[1], of: targets.count)], [certain], [-certain]]
                : [counts.map { max(-certain, Float(log(Double($0) / Double(targets.count)))) }]
        case .values(let values):
            let columns = (0..<values.columns).map { o in (0..<values.rows).map { values[$0, o] } }
            rows =
                task.kind == .regression
                ? [columns.map { Float($0.reduce(0) { $0 + Double($1) } / Double(values.rows)) }]
                : [
                    columns.map { column in logOdds(column.count { $0 >= 0.5 }, of: column.count) },
                    columns.map { _ in certain }, columns.map { _ in -certain },
                ]
        }
        return rows.map { row in
            Outcomes(
                task, targets,
                logits: Matrix(
                    rows: targets.count, columns: row.count,
                    storage: Array(repeatElement(row, count: targets.count).joined())))
        }
    }

    /// The best of a metric that a prediction reaches which is the same for every sequence; nil where none has it.
    package static func constantValue(_ metric: Metric, _ constants: [Outcomes]) -> Double? {
        let values = constants.compactMap { metric($0.sample()) }
        return metric.isHigherBetter ? values.max() : values.min()
    }

    // A logit whose probability is that of a certain class in float32.
    private static let certain: Float = 30

    private static func logOdds(_ count: Int, of all: Int) -> Float {
        max(-certain, min(certain, Float(log(Double(count) / Double(all - count)))))
    }
}
