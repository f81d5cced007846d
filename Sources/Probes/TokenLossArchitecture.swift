// What is trained of a kind with a loss of its own on the scores of tokens (`ProbeKind.tokenLoss`): the parameters of a
// probe on pooled scores, with the scores themselves for outputs, which are not pooled before the loss has seen them.
import Tensors

/// A probe whose outputs are the scores of all unmasked tokens: n of the first output, then n of the second.
struct TokenLossArchitecture: ProbeArchitecture {
    let width: Int
    /// O, the scores of a token.
    let outputs: Int

    private var scores: TokenScoreArchitecture {
        TokenScoreArchitecture(width: width, outputs: outputs, heads: 1, pooling: MaxPooling())
    }

    var tensors: [ParameterTensor] { scores.tensors }

    /// Products, outputs and the gradients of both.
    var numbersPerToken: Int { 4 * outputs }

    func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        scores.initialParameters(&generator)
    }

    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        return TokenLossEvaluator(shape: self, parameters: parameters)
    }
}

private struct TokenLossEvaluator: ProbeEvaluator {
    let shape: TokenLossArchitecture
    let parameters: [Float]

    private var rows: Int { shape.outputs }
    private var biases: Int { rows * shape.width }

    var tokenWeights: ArraySlice<Float> { parameters[..<biases] }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let n = sequence.count
        work.outputs.reset(count: rows * n)
        for r in 0..<rows {
            for j in 0..<n {
                work.outputs[r * n + j] = work.projections[(row + r) * n + j] + parameters[biases + r]
            }
        }
        work.entropies.reset(count: 0)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        let n = sequence.count
        for r in 0..<rows { gradient[biases + r] += Float(sum(outputGradient[r * n..<(r + 1) * n])) }
        sequence.addWeightedSums(outputGradient, rows: rows, to: &gradient, scratch: &work.tokens)
    }
}
