// Linear probes on one pooled hidden state, y = W·pool(x) + b:
//
//     mean     pool(x) = (1/n) Σ_j x_j            (Alain and Bengio, 2016)
//     last     pool(x) = x_n
//     absmax   pool(x)_k = max_j |x_jk|           (each dimension alone)
//
// over the visible tokens j = 1…n. They are the baselines that attention probes are compared with.
public import Tensors

/// How the visible tokens of a sequence become one vector.
public enum Pooling: String, Sendable, CaseIterable {
    /// The mean of the tokens.
    case mean
    /// The last token.
    case last
    /// Of each dimension, the largest magnitude.
    case absmax
}

/// A linear probe on the visible tokens as one vector.
public struct PooledArchitecture: ProbeArchitecture, Equatable {
    /// D, the width of a hidden state.
    public let width: Int
    /// O, the number of outputs.
    public let outputs: Int
    /// How the tokens become one vector.
    public let pooling: Pooling

    /// An architecture of the given sizes.
    ///
    /// - Precondition: sizes are positive.
    public init(width: Int, outputs: Int, pooling: Pooling) {
        precondition(width > 0 && outputs > 0)
        self.width = width
        self.outputs = outputs
        self.pooling = pooling
    }

    /// `v.weight` (O,D) and `v.bias` (O).
    public var tensors: [ParameterTensor] { .values(rows: outputs, width: width) }

    /// Zeros: the loss is convex, so every start leads to the same optimum.
    public func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        Array(repeating: 0, count: tensors.parameterCount)
    }

    /// Parameters made ready to meet many sequences. O(parameters).
    public func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        return PooledEvaluator(shape: self, parameters: parameters)
    }
}

private struct PooledEvaluator: ProbeEvaluator {
    let shape: PooledArchitecture
    let parameters: [Float]

    var tokenWeights: ArraySlice<Float> { [] }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        shape.pooling.pool(sequence, &work)
        guard allFinite(work.pooled[...]) else { throw NonFiniteProjection() }
        let weights = shape.outputs * shape.width
        work.outputs.reset(to: parameters[weights...])
        BLAS.gemv(
            .no, rows: shape.outputs, columns: shape.width, a: parameters[0..<weights],
            x: work.pooled[...], beta: 1, y: &work.outputs)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    // ∂W = g·pool(x)ᵀ, ∂b = g
    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        for (o, g) in outputGradient.enumerated() {
            for d in 0..<shape.width { gradient[o * shape.width + d] += g * work.pooled[d] }
            gradient[shape.outputs * shape.width + o] += g
        }
    }
}

extension Pooling {
    /// Pools the visible tokens of a sequence into `work.pooled`.
    func pool(_ sequence: TokenSequence, _ work: inout Workspace) {
        let (n, width) = (sequence.count, sequence.width)
        work.pooled.reset(count: width)
        switch self {
        case .last:
            sequence.withTokens(n - 1..<n, scratch: &work.tokens) { token in
                for d in 0..<width { work.pooled[d] = token[d] }
            }
        case .mean:
            work.attention.reset(to: 1 / Float(n), count: n)
            sequence.addWeightedSums(work.attention, rows: 1, to: &work.pooled, scratch: &work.tokens)
        case .absmax:
            sequence.forEachTile(scratch: &work.tokens) { range, tokens in
                for j in range.indices {
                    let row = (j - range.lowerBound) * width
                    for d in 0..<width {
                        // A NaN stays.
                        let magnitude = abs(tokens[row + d])
                        if !(magnitude <= work.pooled[d]) { work.pooled[d] = magnitude }
                    }
                }
            }
        }
    }
}
