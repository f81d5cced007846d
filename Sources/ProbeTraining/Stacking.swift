// How much each of several probes counts in their sum (Breiman, 1996, "Stacked regressions"): of outputs z_i and
// targets t of sequences n that count c_n, the weights w_i ≥ 0 and the bias b with the least
//
//     Σ_n c_n·loss(b + Σ_i w_i·z_i[n], t[n]) / Σ_n c_n + λ/2·Σ_i w_i²          λ = 1e-4
//
// The penalty keeps weights finite where the outputs separate the classes. With w_i = u_i² there is no border, and a
// convex function of w has no minimum in u, from a start above 0, that it does not have itself.
private import Glibc
package import Activations
package import Tensors
import ProbeMetrics

/// Weights of several probes' outputs, and what is added.
package struct Stacking: Sendable, Equatable {
    /// w, one a probe, 0 or more.
    package let weights: [Double]
    /// b, O.
    package let bias: [Double]

    private static let penalty = 1e-4

    /// The best weights for some sequences.
    ///
    /// - Parameters:
    ///   - outputs: of each probe those of all sequences, N×O, on one scale.
    ///   - rows: the sequences that count, at least one.
    ///   - counts: how much each of the N counts; nil for all alike.
    ///   - areEqual: whether all probes are to have one weight.
    package init(
        _ outputs: [Matrix], _ rows: [Int], _ targets: Targets, _ task: ProbeTask, counts: [Float]?,
        areEqual: Bool
    ) throws {
        let (loss, probes, columns) = (Loss(task), outputs.count, outputs[0].columns)
        let total = rows.reduce(0.0) { $0 + Double(counts?[$1] ?? 1) }
        func weights(_ u: ArraySlice<Double>) -> [Double] {
            areEqual ? Array(repeating: u[0] * u[0], count: probes) : u.map { $0 * $0 }
        }
        func function(_ x: [Double]) -> (Double, [Double]) {
            let (w, b) = (weights(x.dropLast(columns)), x.suffix(columns))
            var (value, byWeight) = (0.0, w.map { Self.penalty * $0 })
            var byBias = [Double](repeating: 0, count: columns)
            for weight in w { value += Self.penalty / 2 * weight * weight }
            var (y, gradient): ([Double], [Double]) = ([], [])
            for row in rows {
                y.removeAll(keepingCapacity: true)
                y += b
                for i in 0..<probes {
                    for o in 0..<columns { y[o] += w[i] * Double(outputs[i][row, o]) }
                }
                let count = Double(counts?[row] ?? 1) / total
                value += count * loss(y, targets[row], gradient: &gradient)
                for o in 0..<columns {
                    byBias[o] += count * gradient[o]
                    for i in 0..<probes { byWeight[i] += count * gradient[o] * Double(outputs[i][row, o]) }
                }
            }
            let byRoot =
                areEqual
                ? [2 * x[0] * byWeight.reduce(0, +)] : byWeight.indices.map { 2 * x[$0] * byWeight[$0] }
            return (value, byRoot + byBias)
        }
        let roots = Array(repeating: (1 / Double(probes)).squareRoot(), count: areEqual ? 1 : probes)
        var end = roots + Array(repeating: 0, count: columns)
        _ = try LBFGS(iterations: 200).minimize(from: end, function) { _, point in
            end = point.x
            return true
        }
        self.weights = weights(end.dropLast(columns))
        bias = Array(end.suffix(columns))
    }

    /// b + Σ_i w_i·z_i of one sequence.
    package func outputs(_ outputs: [Matrix], _ row: Int) -> [Double] {
        bias.indices.map { o in
            outputs.indices.reduce(bias[o]) { $0 + weights[$1] * Double(outputs[$1][row, o]) }
        }
    }
}
