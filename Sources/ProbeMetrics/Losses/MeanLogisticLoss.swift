package import Activations

/// Of several labels a sequence: the mean over o of log(1 + e^{y_o}) - t_o·y_o, with t_o = 0 or 1.
package struct MeanLogisticLoss: LossFunction {
    package func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        var loss = 0.0
        for (o, value) in target.numbers.enumerated() {
            loss += LogisticLoss.value(outputs[o], Double(value), derivative: &gradient[o])
            gradient[o] /= Number(outputs.count)
        }
        return loss / Double(outputs.count)
    }
}
