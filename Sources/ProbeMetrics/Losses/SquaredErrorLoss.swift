package import Activations

/// Of numbers: the mean over o of (y_o - t_o)².
package struct SquaredErrorLoss: LossFunction {
    package func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        var loss = 0.0
        for (o, value) in target.numbers.enumerated() {
            let difference = Double(outputs[o]) - Double(value)
            loss += difference * difference
            gradient[o] = Number(2 * difference / Double(outputs.count))
        }
        return loss / Double(outputs.count)
    }
}
