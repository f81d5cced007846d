/// How one probe does on every set, trained on each of them.
package struct TransferMatrix: Sendable {
    /// The probe: "attention, 8 heads".
    package let name: String
    /// What the metric is called.
    package let metric: String
    /// The sets, of the rows (trained on) and of the columns (judged by).
    package let sets: [String]
    /// cells[training][test]; on the diagonal by cross-validation.
    package let cells: [[Comparison.Row]]
    /// What `aboveControl` of a cell is above: the best control of that pair of sets; nil where there is none, as on the
    /// diagonal.
    package let bestControls: [[String?]]
}

extension Comparison {
    /// A matrix for each probe, where the comparison is one of every set with every set; else none.
    package var transfer: [TransferMatrix] {
        let sets = dataSets.filter { $0.crossValidated == true }.compactMap(\.training)
        let pairs = sets.map { training in
            sets.compactMap { test in dataSets.first { $0.training == training && $0.test == test } }
        }
        guard let first = dataSets.first, !sets.isEmpty, pairs.allSatisfy({ $0.count == sets.count }) else {
            return []
        }
        return first.rows.indices.map { model in
            TransferMatrix(
                name: first.rows[model].name, metric: first.metric, sets: sets,
                cells: pairs.map { $0.map { $0.rows[model] } },
                bestControls: pairs.map { $0.map(\.bestControl) })
        }
    }
}
