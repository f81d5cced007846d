import Tensors

/// The loss over training sequences as a function of parameters on standardised tokens, and the
/// penalty on those parameters: what the optimisers see.
struct StandardizedObjective {
    let training: Objective
    let standardization: Standardization
    let tensors: [ParameterTensor]
    /// λ.
    let l2: Float

    /// Parameters on the tokens as they are.
    func folded(_ parameters: [Float]) -> [Float] { standardization.fold(parameters, tensors) }

    /// The mean loss over some sequences, without the penalty, and its gradient.
    func gradient(
        _ parameters: [Float], over indices: [Int]? = nil, tokens: (@Sendable (Int) -> TokenSequence)? = nil
    ) throws -> (loss: Double, gradient: [Float]) {
        var result = try training.gradient(folded(parameters), over: indices, tokens: tokens)
        standardization.pullBack(&result.gradient, tensors)
        return result
    }

    /// λ/2·Σw² over the weights.
    func penalty(_ parameters: [Float]) -> Double {
        var sum = 0.0
        for (tensor, range) in tensors.placed where tensor.isPenalised {
            for i in range { sum += Double(parameters[i]) * Double(parameters[i]) }
        }
        return Double(l2) / 2 * sum
    }

    /// Loss plus penalty over all sequences, and the gradient.
    func penalizedGradient(_ parameters: [Float]) throws -> (Double, [Float]) {
        var (loss, gradient) = try gradient(parameters)
        for (tensor, range) in tensors.placed where tensor.isPenalised {
            for i in range { gradient[i] += l2 * parameters[i] }
        }
        return (loss + penalty(parameters), gradient)
    }
}
