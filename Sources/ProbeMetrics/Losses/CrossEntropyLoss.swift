private import Glibc
package import Activations

/// Of one of several classes: log Σ_o e^{y_o} - y_t, with t the class.
package struct CrossEntropyLoss: LossFunction {
    package func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        let index = target.classIndex
        let largest = Double(outputs.max()!)
        let exponentials = outputs.map { exp(Double($0) - largest) }
        let sum = exponentials.reduce(0, +)
        for o in outputs.indices { gradient[o] = Number(exponentials[o] / sum) - (o == index ? 1 : 0) }
        return log(sum) + largest - Double(outputs[index])
    }
}
