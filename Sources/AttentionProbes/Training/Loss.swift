private import Foundation

/// Loss of one sequence given its outputs y, and its gradient by y.
///
/// - binary: log(1 + e^y) - t·y, with t = 0 or 1
/// - multiclass: log Σ_o e^{y_o} - y_t, with t the class
/// - multilabel: mean over o of log(1 + e^{y_o}) - t_o·y_o
/// - regression: mean over o of (y_o - t_o)²
///
/// The loss of a set is the mean over its sequences, as PyTorch's losses reduce by default.
enum Loss {
    case binary, multiclass, multilabel, regression

    init(_ task: ProbeTask) {
        switch task {
        case .binary: self = .binary
        case .multiclass: self = .multiclass
        case .multilabel: self = .multilabel
        case .regression: self = .regression
        }
    }

    /// The loss; `gradient` becomes ∂loss/∂outputs.
    ///
    /// - Precondition: the target is of the loss's form and in its range.
    func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        gradient.removeAll(keepingCapacity: true)
        gradient.append(contentsOf: outputs)
        switch (self, target) {
        case (.binary, .class(let index)):
            return logistic(outputs[0], index == 1 ? 1 : 0, &gradient[0])
        case (.multiclass, .class(let index)):
            let largest = Double(outputs.max()!)
            let exponentials = outputs.map { exp(Double($0) - largest) }
            let sum = exponentials.reduce(0, +)
            for o in outputs.indices { gradient[o] = Number(exponentials[o] / sum) - (o == index ? 1 : 0) }
            return log(sum) + largest - Double(outputs[index])
        case (.multilabel, .values(let values)):
            var loss = 0.0
            for (o, value) in values.enumerated() {
                loss += logistic(outputs[o], Double(value), &gradient[o])
                gradient[o] /= Number(outputs.count)
            }
            return loss / Double(outputs.count)
        case (.regression, .values(let values)):
            var loss = 0.0
            for (o, value) in values.enumerated() {
                let difference = Double(outputs[o]) - Double(value)
                loss += difference * difference
                gradient[o] = Number(2 * difference / Double(outputs.count))
            }
            return loss / Double(outputs.count)
        default: preconditionFailure("\(target) is no target of a \(self) loss")
        }
    }

    // log(1 + e^y) - t·y = max(y, 0) - t·y + log(1 + e^-|y|), and its derivative 1/(1 + e^-y) - t.
    private func logistic<Number: BinaryFloatingPoint>(
        _ output: Number, _ t: Double, _ derivative: inout Number
    ) -> Double {
        let y = Double(output)
        let e = exp(-abs(y))
        derivative = Number((y >= 0 ? 1 / (1 + e) : e / (1 + e)) - t)
        return max(y, 0) - t * y + log1p(e)
    }
}
