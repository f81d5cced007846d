private import Glibc
package import Activations

/// Of two classes: log(1 + e^y) - t·y, with t = 1 for the second class and 0 for the first, or the probability
/// of the second.
package struct LogisticLoss: LossFunction {
    package func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        Self.value(outputs[0], target.probability, derivative: &gradient[0])
    }

    /// log(1 + e^y) - t·y = max(y, 0) - t·y + log(1 + e^-|y|), and its derivative 1/(1 + e^-y) - t.
    static func value<Number: BinaryFloatingPoint>(
        _ output: Number, _ t: Double, derivative: inout Number
    ) -> Double {
        let y = Double(output)
        let e = exp(-abs(y))
        derivative = Number((y >= 0 ? 1 / (1 + e) : e / (1 + e)) - t)
        return max(y, 0) - t * y + log1p(e)
    }
}
