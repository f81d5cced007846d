import Tensors
package import Activations

/// The loss of one sequence, given its outputs y, and its gradient by y.
///
/// The loss of a set is the mean over its sequences, as PyTorch's losses reduce by default.
package protocol LossFunction: Sendable {
    /// The loss; `gradient`, one element an output, becomes ∂loss/∂y.
    ///
    /// - Precondition: the target is of the loss's form and in its range.
    func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double
}

/// The loss that probes of a task are trained with and judged by.
package struct Loss: Sendable {
    private typealias Function<Number> = @Sendable ([Number], Target, inout [Number]) -> Double
    private let single: Function<Float>
    private let double: Function<Double>

    /// The loss of a task. A new loss is a `LossFunction` in a file of its own, and its line here.
    package init(_ task: ProbeTask) {
        switch task.kind {
        case .binary: self.init(LogisticLoss())
        case .multiclass: self.init(CrossEntropyLoss())
        case .multilabel: self.init(MeanLogisticLoss())
        case .regression: self.init(SquaredErrorLoss())
        }
    }

    /// A loss of its own. One closure a type of numbers, so that both are compiled for the loss and for the type.
    package init(_ function: some LossFunction) {
        single = { function($0, $1, gradient: &$2) }
        double = { function($0, $1, gradient: &$2) }
    }

    /// The loss of a sequence; `gradient` becomes ∂loss/∂outputs, whatever it was.
    package func callAsFunction(_ outputs: [Float], _ target: Target, gradient: inout [Float]) -> Double {
        gradient.removeAll(keepingCapacity: true)
        gradient.append(contentsOf: outputs)
        return single(outputs, target, &gradient)
    }

    /// The same in double precision.
    package func callAsFunction(_ outputs: [Double], _ target: Target, gradient: inout [Double]) -> Double {
        gradient.removeAll(keepingCapacity: true)
        gradient.append(contentsOf: outputs)
        return double(outputs, target, &gradient)
    }

    /// The losses of all sequences, whose outputs are the rows of a matrix.
    func values(_ outputs: Matrix, _ targets: Targets) -> [Double] {
        var unused: [Float] = []
        return (0..<outputs.rows).map { self(Array(outputs[row: $0]), targets[$0], gradient: &unused) }
    }
}

extension Target {
    /// What a cross-entropy of two classes compares with, one number a label: 1 for the second class, 0 for the first.
    var probabilities: [Double] {
        switch self {
        case .class, .probability: [probability]
        case .values(let values): values.map(Double.init)
        }
    }

    /// The probability of the second of two classes: of a class 1 or 0.
    ///
    /// - Precondition: it is a class, or a probability.
    var probability: Double {
        if case .probability(let probability) = self { return Double(probability) }
        return classIndex == 1 ? 1 : 0
    }

    /// The index of the class.
    ///
    /// - Precondition: it is a class.
    var classIndex: Int {
        guard case .class(let index) = self else { preconditionFailure("\(self) is no class") }
        return index
    }

    /// The numbers, one an output.
    ///
    /// - Precondition: it is numbers.
    var numbers: ArraySlice<Float> {
        guard case .values(let values) = self else { preconditionFailure("\(self) is no list of numbers") }
        return values
    }
}
