// Training sees each dimension of the hidden states with mean 0 and standard deviation 1, without
// ever touching them: weights w' on standardised tokens (x - μ)/σ are weights w = w'/σ on the
// tokens as they are, with w·μ taken off the bias that goes with them:
//
//     w'·(x - μ)/σ + b'  =  w·x + b,    w = w'/σ,  b = b' - w·μ
//
// so a probe is trained in w', b' and saved as w, b. Rows without a bias (queries) are scaled only:
// under a softmax over tokens their constant does nothing. For the gradient, by the chain rule,
// ∂w' = (∂w - ∂b·μ)/σ and ∂b' = ∂b.
//
// A position is one more dimension: p = p'/σ_t with σ_t the standard deviation of positions. One
// step of an optimiser then moves the logits of a sequence about as far through p as through q,
// whether the sequence has sixty tokens or six thousand.
import Tensors

struct Standardization: Sendable {
    /// μ, D values.
    let mean: [Float]
    /// 1/σ, D values; 1 for a dimension that does not vary, as in scikit-learn's StandardScaler.
    let inverseScale: [Float]
    /// 1/σ_t; 1 where no position differs.
    let inversePositionScale: Float

    /// Positions only: dimensions stay as they are. O(T).
    init(positionsOf data: ActivationSet) {
        mean = Array(repeating: 0, count: data.width)
        inverseScale = Array(repeating: 1, count: data.width)
        inversePositionScale = Self.inversePositionScale(data)
    }

    /// Mean and standard deviation of all visible tokens of a set, and of their positions. O(T·D),
    /// the same bits on any number of threads.
    ///
    /// - Throws: `DataError` where a hidden state is NaN or infinite.
    init(_ data: ActivationSet, threads: Int) throws {
        let width = data.width
        inversePositionScale = Self.inversePositionScale(data)
        let blocks = Objective.blocks(data.indices.map { data[$0].rows.count })
        var scratch: [Float] = []
        let first = data[0].withTokens(0..<1, scratch: &scratch) { token in token.indices.map { token[$0] } }
        let readAhead = data.readAhead(Objective.order(Array(data.indices), blocks, threads))
        let parts = try Parallel.map(count: blocks.count, threads: threads, workspace: { [Float]() }) {
            block, scratch in
            var moments = Moments(origin: first)
            for index in blocks[block] {
                moments.add(data[index], scratch: &scratch)
                readAhead.advance(data.byteCount(index))
            }
            return moments
        }
        let moments = parts.dropFirst().reduce(into: parts[0]) { $0.add($1) }
        let mean = (0..<width).map { Float(moments.mean($0)) }
        let inverseScale = (0..<width).map { d -> Float in
            let variance = moments.variance(d)
            let isConstant = variance <= max(1e-14 * Double(mean[d]) * Double(mean[d]), 1e-60)
            return isConstant ? 1 : Float(1 / variance.squareRoot())
        }
        guard allFinite(mean[...]), allFinite(inverseScale[...]) else { throw data.nonFiniteError() }
        self.mean = mean
        self.inverseScale = inverseScale
    }

    private static func inversePositionScale(_ data: ActivationSet) -> Float {
        var (count, sum, square) = (0.0, 0.0, 0.0)
        for index in data.indices {
            let sequence = data[index]
            for j in 0..<sequence.count {
                let t = Double(sequence.position(j))
                (count, sum, square) = (count + 1, sum + t, square + t * t)
            }
        }
        let variance = square / count - (sum / count) * (sum / count)
        return variance > 0 ? Float(1 / variance.squareRoot()) : 1
    }

    /// Parameters on the tokens as they are, from parameters on standardised tokens.
    func fold(_ parameters: [Float], _ tensors: [ParameterTensor]) -> [Float] {
        var folded = parameters
        forEachTokenRow(tensors) { row, bias in
            var shift: Float = 0
            for d in mean.indices {
                folded[row + d] *= inverseScale[d]
                shift += folded[row + d] * mean[d]
            }
            if let bias { folded[bias] -= shift }
        }
        scalePositions(&folded, tensors)
        return folded
    }

    /// The gradient by parameters on standardised tokens, from that by folded ones.
    func pullBack(_ gradient: inout [Float], _ tensors: [ParameterTensor]) {
        forEachTokenRow(tensors) { row, bias in
            let g = bias.map { gradient[$0] } ?? 0
            for d in mean.indices { gradient[row + d] = (gradient[row + d] - g * mean[d]) * inverseScale[d] }
        }
        scalePositions(&gradient, tensors)
    }

    // p = p'/σ_t, and likewise ∂p' = ∂p/σ_t.
    private func scalePositions(_ vector: inout [Float], _ tensors: [ParameterTensor]) {
        for (tensor, range) in tensors.placed where tensor.role == .position {
            for i in range { vector[i] *= inversePositionScale }
        }
    }

    // Where each row that multiplies tokens starts, and its bias, in the flat vector.
    private func forEachTokenRow(_ tensors: [ParameterTensor], _ body: (Int, Int?) -> Void) {
        for (tensor, range) in tensors.placed {
            guard case .tokenWeights(let biasName) = tensor.role else { continue }
            let biases = biasName.flatMap { tensors.range(of: $0) }
            for (r, row) in stride(from: range.lowerBound, to: range.upperBound, by: mean.count).enumerated()
            {
                body(row, biases.map { $0.lowerBound + r })
            }
        }
    }
}
