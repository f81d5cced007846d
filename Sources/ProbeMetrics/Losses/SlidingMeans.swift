import Activations

/// The sliding means of scores z_1 … z_n of tokens: z̄_t = (1/M) Σ_{s<M} z_{t-s}, t = M … n; where n < M, one z̄ alone, the
/// mean of all.
struct SlidingMeans {
    /// The means, in order.
    let values: [Double]
    /// Scores in each.
    let width: Int

    /// - Parameter window: M.
    init(_ z: ArraySlice<some BinaryFloatingPoint>, window: Int) {
        let width = min(window, z.count)
        // Each window anew: a running sum would carry its rounding errors along.
        values = (z.startIndex...z.endIndex - width).map { start in
            z[start..<start + width].reduce(0.0) { $0 + Double($1) } / Double(width)
        }
        self.width = width
    }

    /// Writes ∂loss/∂z times a factor where the scores are, given ∂loss/∂z̄.
    func backward<Number: BinaryFloatingPoint>(
        _ slopes: [Double], _ factor: Double, into gradient: inout [Number], at start: Int
    ) {
        var sums = [Double](repeating: 0, count: values.count + width - 1)
        for (t, slope) in slopes.enumerated() { for j in t..<t + width { sums[j] += slope } }
        for (j, sum) in sums.enumerated() { gradient[start + j] = Number(factor * sum / Double(width)) }
    }
}

extension LossFunction {
    /// A loss of several labels a sequence, whose scores come one label after the other: the mean of that of each.
    ///
    /// - Parameter loss: of the scores of one label, which also writes their gradient times a factor.
    func meanOverLabels<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number],
        _ loss: (_ z: ArraySlice<Number>, _ label: Double, _ factor: Double, inout [Number]) -> Double
    ) -> Double {
        let labels = target.probabilities
        let count = outputs.count / labels.count
        var total = 0.0
        for (o, label) in labels.enumerated() {
            total += loss(outputs[o * count..<(o + 1) * count], label, 1 / Double(labels.count), &gradient)
        }
        return total / Double(labels.count)
    }
}
