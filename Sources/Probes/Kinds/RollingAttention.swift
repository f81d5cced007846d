// Attention over the last w tokens at every token, and of each head the place where it gives most
// (Kramár et al., 2026, arXiv 2601.11516, with w = 10):
//
//     l[h,j]   = x_j·q_h
//     a[h,j,i] = exp(l[h,i]) / Σ_s exp(l[h,s])             i, s = max(1, j-w+1) … j
//     m[h,o,j] = Σ_i a[h,j,i]·x_i·v_ho
//     y[o]     = Σ_h (max_j m[h,o,j] + β_ho)               the first of equals
//
// The gradient flows through the best window alone: with a its attention and g = ∂loss/∂y[o],
// ∂v_ho = g·Σ_i a_i·x_i, ∂β_ho = g, and ∂l_i = g·a_i·(x_i·v_ho - m).
private import Glibc
import Tensors

extension ProbeKind {
    /// Of each head, the largest attention-weighted mean over w neighbours, added. Two layers before it are a choice.
    public static let rollingAttention = ProbeKind(
        "rolling-attention", [.heads: 8, .window: 10, .units: 0],
        architecture: { configuration, width, outputs in
            LayeredArchitecture.behind(configuration.units, width: width) { width in
                RollingAttentionArchitecture(
                    width: width, outputs: outputs, heads: configuration.heads, window: configuration.window)
            }
        }
    ) { kind in
        kind.addsHeads = true
        kind.tokenQuantity = .score
    }
}

/// The rolling-attention probe.
struct RollingAttentionArchitecture: ProbeArchitecture {
    let width: Int
    let outputs: Int
    let heads: Int
    /// w.
    let window: Int

    /// `q.weight` (H,D), `v.weight` (H·O,D) with row h·O+o, `v.bias` (H·O).
    var tensors: [ParameterTensor] {
        .queries(heads: heads, width: width) + .values(rows: heads * outputs, width: width)
    }

    /// Logits, values and their gradients.
    var numbersPerToken: Int { 2 * heads * (1 + outputs) }

    /// Uniform attention over values from the uniform distribution over ±1/√D, divided among the heads.
    func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        let bound = 1 / (Float(width).squareRoot() * Float(heads))
        let values = (0..<heads * outputs * width).map { _ in bound * (2 * generator.uniform() - 1) }
        return Array(repeating: 0, count: heads * width) + values
            + Array(repeating: 0, count: heads * outputs)
    }

    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        return RollingAttentionEvaluator(shape: self, parameters: parameters)
    }

    func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? {
        RollingAttentionRule(shape: self, parameters: parameters)
    }
}

private struct RollingAttentionEvaluator: ProbeEvaluator {
    let shape: RollingAttentionArchitecture
    let parameters: [Float]

    // H logits, then H·O values.
    private var rows: Int { shape.heads * (1 + shape.outputs) }

    var tokenWeights: ArraySlice<Float> { parameters[..<(rows * shape.width)] }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let n = sequence.count
        guard allFinite(work.projections[row * n..<(row + rows) * n]) else { throw NonFiniteProjection() }
        work.entropies.reset(count: 0)
        work.outputs.reset(count: shape.outputs)
        for h in 0..<shape.heads {
            for o in 0..<shape.outputs {
                let best = best(head: h, output: o, n, row, work.projections)
                work.outputs[o] += best.mean + parameters[rows * shape.width + h * shape.outputs + o]
            }
        }
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        let n = sequence.count
        work.projectionGradient.reset(count: rows * n)
        for h in 0..<shape.heads {
            for o in 0..<shape.outputs {
                let g = outputGradient[o]
                let best = best(head: h, output: o, n, 0, work.projections)
                let (logits, values) = starts(h, o, n, 0)
                for i in best.window {
                    let a = Float(
                        exp(Double(work.projections[logits + i]) - best.largest) / best.sum)
                    work.projectionGradient[values + i] += g * a
                    work.projectionGradient[logits + i] += g * a * (work.projections[values + i] - best.mean)
                }
                gradient[rows * shape.width + h * shape.outputs + o] += g
            }
        }
        sequence.addWeightedSums(
            work.projectionGradient, rows: rows, to: &gradient, scratch: &work.tokens)
    }

    // Where the logits of a head and the values of its output start among the products.
    private func starts(_ h: Int, _ o: Int, _ n: Int, _ row: Int) -> (logits: Int, values: Int) {
        ((row + h) * n, (row + shape.heads + h * shape.outputs + o) * n)
    }

    // The window with the largest mean: its tokens, mean, largest logit and Σ exp(l - largest).
    private func best(
        head h: Int, output o: Int, _ n: Int, _ row: Int, _ z: [Float]
    ) -> (window: ClosedRange<Int>, mean: Float, largest: Double, sum: Double) {
        let (logits, values) = starts(h, o, n, row)
        var best = (window: 0...0, mean: -Float.infinity, largest: 0.0, sum: 1.0)
        for j in 0..<n {
            let window = max(0, j - shape.window + 1)...j
            let largest = window.reduce(-Double.infinity) { max($0, Double(z[logits + $1])) }
            var (sum, weighted) = (0.0, 0.0)
            for i in window {
                let e = exp(Double(z[logits + i]) - largest)
                sum += e
                weighted += e * Double(z[values + i])
            }
            let mean = Float(weighted / sum)
            if mean > best.mean { best = (window, mean, largest, sum) }
        }
        return best
    }
}
