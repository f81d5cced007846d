// Probes that give every unmasked token a score, one a head and output, and make one number of the
// scores of a sequence:
//
//     z[h,o,j] = v_ho·x_j + β_ho        y[o] = Σ_h pool_j z[h,o,j]
//
// with a `ScorePooling`. Their gradient is that of a projection: with
// ∂z = ∂y·∂pool/∂z, ∂v_ho = Σ_j ∂z[h,o,j]·x_j and ∂β_ho = Σ_j ∂z[h,o,j].
import Tensors

/// A probe on pooled scores of tokens.
struct TokenScoreArchitecture: ProbeArchitecture {
    let width: Int
    let outputs: Int
    /// H; more than one where a kind adds heads.
    let heads: Int
    let pooling: any ScorePooling

    /// `v.weight` (H·O,D) with row h·O+o, and `v.bias` (H·O).
    var tensors: [ParameterTensor] { .values(rows: heads * outputs, width: width) }

    /// Scores and their gradients.
    var numbersPerToken: Int { 2 * heads * outputs }

    /// Values from the uniform distribution over ±1/√D, divided among the heads; biases zero.
    func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        let bound = 1 / (Float(width).squareRoot() * Float(heads))
        let weights = (0..<heads * outputs * width).map { _ in bound * (2 * generator.uniform() - 1) }
        return weights + Array(repeating: 0, count: heads * outputs)
    }

    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        return TokenScoreEvaluator(shape: self, parameters: parameters)
    }

    func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? {
        (pooling as? any PrefixPooling).map { TokenScoreRule(self, $0, parameters) }
    }
}

private struct TokenScoreEvaluator: ProbeEvaluator {
    let shape: TokenScoreArchitecture
    let parameters: [Float]

    private var rows: Int { shape.heads * shape.outputs }
    private var biases: Int { rows * shape.width }

    var tokenWeights: ArraySlice<Float> { parameters[..<(rows * shape.width)] }

    // Leaves z, R×n, in place of the products.
    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let n = sequence.count
        work.outputs.reset(count: shape.outputs)
        for r in 0..<rows {
            let own = (row + r) * n..<(row + r + 1) * n
            for j in own { work.projections[j] += parameters[biases + r] }
            work.outputs[r % shape.outputs] += work.projections.withPart(own) { shape.pooling.pool($0.span) }
        }
        work.entropies.reset(count: 0)
        guard allFinite(work.projections[row * n..<(row + rows) * n]), allFinite(work.outputs[...])
        else { throw NonFiniteProjection() }
    }

    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        let n = sequence.count
        work.projectionGradient.grow(to: rows * n)
        for r in 0..<rows {
            let own = r * n..<(r + 1) * n
            let z = work.projections[own]
            work.projectionGradient.withPart(own) { dz in
                shape.pooling.backward(z.span, outputGradient[r % shape.outputs], into: &dz)
            }
            gradient[biases + r] += Float(sum(work.projectionGradient[own]))
        }
        sequence.addWeightedSums(
            work.projectionGradient, rows: rows, to: &gradient, scratch: &work.tokens)
    }
}
