// AttentionRule.swift's softmax over a tile of tokens, a head at a time. A head with a logit more than `room` above m, or
// without a token so far, takes the tile token by token.
import Tensors

extension AttentionRule: PrefixTileRule {
    var takesTiles: Bool { isSoftmax && evaluator.shape.hidden == 0 }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ tile: borrowing PrefixTile,
        into y: inout MutableSpan<Float>, at place: Int, stride: Int, _ work: inout PrefixWorkspace
    ) {
        let count = tile.count
        // r[k] after each token.
        var all: [Double] = []
        swap(&all, &work.sums)
        defer { swap(&all, &work.sums) }
        if all.count < values * count { all = Array(repeating: 0, count: values * count) }
        var sums = all.mutableSpan
        for i in 0..<values * count { sums[i] = 0 }
        for h in 0..<heads {
            let head = start + h * size
            guard state[head] > -.infinity,
                weights(h, tile, origin: state[head], into: &work.weights) <= Self.room
            else {
                for j in 0..<count {
                    advance(h, &state, at: head, tile.token(j))
                    for k in 0..<values {
                        let mean = state[head + 2 + k] / state[head + 1]
                        sums[k * count + j] += mean + Double(evaluator.bias(h, k))
                    }
                }
                continue
            }
            let weights = work.weights.span
            let before = state[head + 1]
            for k in 0..<values {
                let (row, bias) = (tile.row(heads + h * values + k), Double(evaluator.bias(h, k)))
                var (s, u) = (before, state[head + 2 + k])
                for j in 0..<count {
                    s += weights[j]
                    u += weights[j] * Double(tile.products[row.lowerBound + j])
                    sums[k * count + j] += u / s + bias
                }
                (state[head + 1], state[head + 2 + k]) = (s, u)
            }
        }
        for j in 0..<count {
            for k in 0..<values { y[place + j * stride + k] = Float(sums[k * count + j]) }
        }
    }

    func tell(
        _ tile: borrowing PrefixTile, in state: Span<Double>, at start: Int,
        attention: inout MutableSpan<Float>, at first: Int, stride headStride: Int,
        contributions: inout MutableSpan<Float>, at part: Int, stride partStride: Int,
        _ work: inout PrefixWorkspace
    ) {
        for h in 0..<heads {
            let head = start + h * size
            _ = weights(h, tile, origin: state[head], into: &work.weights)
            let (weights, total) = (work.weights.span, state[head + 1])
            for j in 0..<tile.count { attention[first + j * headStride + h] = Float(weights[j] / total) }
            for k in 0..<values {
                let (row, bias) = (tile.row(heads + h * values + k), Double(evaluator.bias(h, k)))
                for j in 0..<tile.count {
                    let value = Double(tile.products[row.lowerBound + j]) + bias
                    contributions[part + j * partStride + h * values + k] = Float(weights[j] / total * value)
                }
            }
        }
    }

    // e^(l - origin) of a head's tokens, and the largest l - origin.
    private func weights(
        _ h: Int, _ tile: borrowing PrefixTile, origin: Double, into weights: inout [Double]
    ) -> Double {
        prefixWeights(
            tile.products, tile.row(h), slope: positions[h], position: tile.position, origin: origin,
            into: &weights)
    }
}
