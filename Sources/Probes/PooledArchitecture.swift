// Linear probes on one pooled hidden state, y = W·pool(x) + b:
//
//     mean     pool(x) = (1/n) Σ_j x_j            (Alain and Bengio, 2016)
//     last     pool(x) = x_n
//     absmax   pool(x)_k = max_j |x_jk|           (each dimension alone)
//
// over the unmasked tokens j = 1…n. They are the baselines that attention probes are compared with.
package import Tensors

/// How the unmasked tokens of a sequence become one vector.
package enum Pooling: String, Sendable, CaseIterable {
    /// The mean of the tokens.
    case mean
    /// The last token.
    case last
    /// Of each dimension, the largest magnitude.
    case absmax
}

/// A probe that sees of a sequence one vector, and is the same on sequences of that one.
package protocol PoolingArchitecture: ProbeArchitecture {
    /// How the tokens become the vector.
    var pooling: Pooling { get }
}

/// A linear probe on the unmasked tokens as one vector.
package struct PooledArchitecture: PoolingArchitecture, Equatable {
    /// D, the width of a hidden state.
    package let width: Int
    /// O, the number of outputs.
    package let outputs: Int
    /// How the tokens become one vector.
    package let pooling: Pooling

    /// An architecture of the given sizes.
    ///
    /// - Precondition: sizes are positive.
    package init(width: Int, outputs: Int, pooling: Pooling) {
        precondition(width > 0 && outputs > 0)
        self.width = width
        self.outputs = outputs
        self.pooling = pooling
    }

    /// `v.weight` (O,D) and `v.bias` (O).
    package var tensors: [ParameterTensor] { .values(rows: outputs, width: width) }

    /// One: tokens are added up.
    package var rowsPerToken: Int { 1 }

    /// Zeros: the loss is convex, so every start leads to the same optimum.
    package func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        Array(repeating: 0, count: tensors.parameterCount)
    }

    /// Parameters made ready to meet many sequences. O(parameters).
    package func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        return PooledEvaluator(shape: self, parameters: parameters)
    }

    /// The parameters made ready to score token by token.
    package func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? {
        PooledRule(shape: self, parameters: parameters)
    }
}

private struct PooledEvaluator: ProbeEvaluator {
    let shape: PooledArchitecture
    let parameters: [Float]

    var tokenWeights: ArraySlice<Float> { [] }
    var meetsAllTokens: Bool { shape.pooling != .last }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        shape.pooling.pool(sequence, &work)
        guard allFinite(work.pooled[...]) else { throw NonFiniteProjection() }
        work.outputs.reset(count: shape.outputs)
        for o in 0..<shape.outputs {
            // In double precision: where means are far from 0, large terms take each other away.
            let row = parameters[o * shape.width..<(o + 1) * shape.width]
            let bias = Double(parameters[shape.outputs * shape.width + o])
            work.outputs[o] = Float(dot(row, work.pooled[...]) + bias)
        }
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    // ∂W = g·pool(x)ᵀ, ∂b = g
    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        let pooled = work.pooled.span
        var gradient = gradient.mutableSpan
        for (o, g) in outputGradient.enumerated() {
            for d in 0..<shape.width { gradient[o * shape.width + d] += g * pooled[d] }
            gradient[shape.outputs * shape.width + o] += g
        }
    }
}

extension Pooling {
    /// Pools the unmasked tokens of a sequence into `work.pooled`; a mean is added up in double precision.
    func pool(_ sequence: TokenSequence, _ work: inout Workspace) {
        switch self {
        case .last: sequence.copyToken(sequence.count - 1, into: &work.pooled, scratch: &work.tokens)
        case .mean: sequence.copyMeans(into: &work.pooled, sums: &work.sums, scratch: &work.tokens)
        case .absmax:
            work.pooled.reset(count: sequence.width)
            sequence.raiseMagnitudes(&work.pooled, scratch: &work.tokens)
        }
    }
}
