import Activations
import Probes
import Tensors

/// What brings outputs of different probes to one scale: for two classes and for several labels the mean and standard
/// deviation of each output; for several classes the standard deviation of all outputs from their mean in each
/// sequence; for numbers those of the targets.
struct OutputScale {
    /// Of each fold, O numbers.
    private let folds: [(shifts: [Double], scales: [Double])]
    private let task: ProbeTask
    /// What is taken from outputs of a probe that is trained on all sequences.
    let shifts: [Double]
    // The standard deviations.
    private let scales: [Double]

    init(_ folds: Folds, _ outputs: Matrix, _ targets: Targets, _ task: ProbeTask) {
        self.task = task
        let found = (0..<folds.count).map { fold -> (shifts: [Double], scales: [Double]) in
            let rows = folds.heldOut(fold), columns = 0..<task.outputs
            func moments(_ values: [Double]) -> (Double, Double) {
                let mean = values.reduce(0, +) / Double(values.count)
                let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                let deviation = (squares / Double(values.count)).squareRoot()
                return (mean, deviation > 0 ? deviation : 1)
            }
            switch (task.kind, targets) {
            case (.multiclass, _):
                let centred = rows.flatMap { row in
                    let own = columns.map { Double(outputs[row, $0]) }
                    let mean = own.reduce(0, +) / Double(own.count)
                    return own.map { $0 - mean }
                }
                let deviation = moments(centred).1
                return (columns.map { _ in 0 }, columns.map { _ in deviation })
            case (.regression, .values(let values)):
                let own = columns.map { o in moments((0..<values.rows).map { Double(values[$0, o]) }) }
                return (own.map(\.0), own.map(\.1))
            default:
                let own = columns.map { o in moments(rows.map { Double(outputs[$0, o]) }) }
                return (own.map(\.0), own.map(\.1))
            }
        }
        func mean(_ numbers: ((shifts: [Double], scales: [Double])) -> [Double]) -> [Double] {
            (0..<task.outputs).map { o in found.reduce(0) { $0 + numbers($1)[o] } / Double(found.count) }
        }
        (self.folds, shifts, scales) = (found, mean(\.shifts), mean(\.scales))
    }

    private var isOfTargets: Bool { task.kind == .regression }

    /// What outputs are divided by then: nothing where they are numbers as the targets are.
    var partScales: [Double] { isOfTargets ? scales.map { _ in 1 } : scales }

    /// Outputs of probes that did not see the folds, those of each fold on its own scale.
    func standardized(_ outputs: Matrix, _ assignment: Folds) -> Matrix {
        var all = outputs
        for row in 0..<outputs.rows {
            let own = folds[assignment.assignment[row]]
            for o in 0..<outputs.columns {
                all[row, o] = Float((Double(outputs[row, o]) - own.shifts[o]) / own.scales[o])
            }
        }
        return all
    }

    /// Targets as outputs are standardised.
    func standardized(_ targets: Targets) -> Targets {
        guard isOfTargets, case .values(let values) = targets else { return targets }
        var all = values
        for row in 0..<values.rows {
            for o in 0..<values.columns {
                all[row, o] = Float((Double(values[row, o]) - shifts[o]) / scales[o])
            }
        }
        return .values(all)
    }

    /// An output for standardised targets as one for the targets themselves.
    func inTargets(_ y: Double, _ o: Int) -> Float { Float(isOfTargets ? y * scales[o] + shifts[o] : y) }
}
