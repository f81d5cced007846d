import Tensors
import Activations
import Probes

/// Regression targets as training sees them: divided by their standard deviation, so that what is learnt,
/// and what a penalty or a learning rate means, does not depend on the unit they are in. 1 for other tasks.
///
/// One scale for all outputs, the root of their mean variance, so that the loss, the mean over outputs of
/// squared errors, is only multiplied, and outputs count in it as they did.
struct TargetScale {
    private let scale: Float

    /// - Parameter weights: how much each sequence counts; nil for all alike.
    init(_ task: ProbeTask, _ targets: Targets?, weights: [Float]?) {
        guard case .regression = task, case .values(let values)? = targets else {
            scale = 1
            return
        }
        let weights = weights.map { $0.map(Double.init) } ?? Array(repeating: 1, count: values.rows)
        let total = weights.reduce(0, +)
        var squares = 0.0
        for column in 0..<values.columns {
            let numbers = (0..<values.rows).map { (y: Double(values[$0, column]), weight: weights[$0]) }
            let mean = numbers.reduce(0) { $0 + $1.weight * $1.y } / total
            squares += numbers.reduce(0) { $0 + $1.weight * ($1.y - mean) * ($1.y - mean) }
        }
        let deviation = Float((squares / (total * Double(values.columns))).squareRoot())
        // Constant targets have none.
        scale = deviation.isNormal ? deviation : 1
    }

    /// What a loss on scaled targets is multiplied with to be one on the targets as they are.
    var lossFactor: Double { Double(scale) * Double(scale) }

    /// The same sequences with scaled targets.
    func scaled(_ data: ActivationSet) -> ActivationSet {
        guard scale != 1, case .values(let values) = data.targets else { return data }
        let targets = Matrix(
            rows: values.rows, columns: values.columns, storage: values.storage.map { $0 / scale })
        return ActivationSet(
            data, selecting: Array(data.indices), targets: .values(targets), classes: data.classes,
            groups: data.groups)
    }

    /// Parameters whose outputs are in the targets' own unit, from those for scaled targets.
    func restored(_ parameters: [Float], _ tensors: [ParameterTensor]) -> [Float] {
        guard scale != 1 else { return parameters }
        var parameters = parameters
        for (tensor, range) in tensors.placed where tensor.scalesOutputs {
            for i in range { parameters[i] *= scale }
        }
        return parameters
    }
}
