// Attention.swift's formula token by token. With v[h,k] = x·v_hk and l[h] = x·q_h + p_h·t of every token, the state
// of a head is, for a softmax (after Milakov and Gimelshein, 2018, arXiv 1805.02867),
//
//     m = max l          s = Σ exp(l - m)          u[k] = Σ exp(l - m)·v[k]
//     r[k] = Σ_h (u[h,k]/s[h] + β_hk)
//
// where m may be less than the largest l by `room`: against an m that is known, the weights of all heads, or of all
// tokens of a tile, are independent. For a tanh s = Σ tanh(l), u[k] = Σ tanh(l)·v[k] and r[k] = Σ_h (u[h,k] + β_hk·s[h]).
// In double precision p·t needs no origin of its own.
private import Glibc
import Tensors

struct AttentionRule: PrefixRule {
    let evaluator: AttentionEvaluator
    let heads: Int
    let values: Int
    let positions: [Double]
    let isSoftmax: Bool
    /// Numbers of a head.
    let size: Int
    /// How far a logit may rise above m before m changes.
    static let room = 4.0

    init(_ shape: AttentionArchitecture, _ parameters: [Float]) {
        evaluator = AttentionEvaluator(shape, parameters)
        (heads, values, isSoftmax) = (shape.heads, shape.values, shape.attention == .softmax)
        positions = parameters[evaluator.position].map(Double.init)
        size = (isSoftmax ? 2 : 1) + values
    }

    // [q | v]: H·(1+V) rows
    var tokenWeights: ArraySlice<Float> {
        evaluator.parameters[0..<heads * (1 + values) * evaluator.shape.width]
    }
    var stateCount: Int { heads * size }
    var headCount: Int { heads }
    // A tanh of another position is another number.
    var isMergeable: Bool { isSoftmax || positions.allSatisfy { $0 == 0 } }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for i in 0..<stateCount { state[start + i] = isSoftmax && i % size == 0 ? -.infinity : 0 }
    }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) {
        guard isSoftmax else {
            for h in 0..<heads {
                let head = start + h * size, first = heads + h * values
                let a = Double(tanhAttention(h, token))
                state[head] += a
                for k in 0..<values { state[head + 1 + k] += a * Double(token[first + k]) }
            }
            return
        }
        guard weights(token, state, start, &work.values, into: &work.weights) <= Self.room else {
            for h in 0..<heads { advance(h, &state, at: start + h * size, token) }
            return
        }
        for h in 0..<heads {
            let head = start + h * size, first = heads + h * values, weight = work.weights[h]
            state[head + 1] += weight
            for k in 0..<values { state[head + 2 + k] += weight * Double(token[first + k]) }
        }
    }

    // e^(l - m) of each head, and the largest l - m, which is infinite before the first token. The differences are rounded to
    // floats, by 6e-8 of themselves: little near 0, and far below 0 the weight is next to nothing.
    private func weights(
        _ token: borrowing PrefixToken, _ state: borrowing MutableSpan<Double>, _ start: Int,
        _ above: inout [Float], into weights: inout [Double]
    ) -> Double {
        above.reset(count: heads)
        for h in 0..<heads {
            let logit = Double(token[h]) + positions[h] * Double(token.position)
            above[h] = Float(logit - state[start + h * size])
        }
        return prefixWeights(above.span, 0..<heads, slope: 0, position: 0, origin: 0, into: &weights)
    }

    /// Adds a token to the softmax of one head, whose numbers begin at `head`.
    func advance(
        _ h: Int, _ state: inout MutableSpan<Double>, at head: Int, _ token: borrowing PrefixToken
    ) {
        let first = heads + h * values
        let logit = Double(token[h]) + positions[h] * Double(token.position)
        let largest = state[head]
        if logit <= largest {
            let e = exp(logit - largest)
            state[head + 1] += e
            for k in 0..<values { state[head + 2 + k] += e * Double(token[first + k]) }
        } else {
            let scale = exp(largest - logit)
            state[head] = logit
            state[head + 1] = state[head + 1] * scale + 1
            for k in 0..<values {
                state[head + 2 + k] = state[head + 2 + k] * scale + Double(token[first + k])
            }
        }
    }

    // In single precision, as over whole sequences: a tanh near 0 has the rounding errors of its logit.
    private func tanhAttention(_ h: Int, _ token: borrowing PrefixToken) -> Float {
        tanh(token[h] + evaluator.parameters[evaluator.position.lowerBound + h] * Float(token.position))
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) {
        let shape = evaluator.shape
        guard shape.hidden > 0 else {
            for o in 0..<shape.outputs { y[place + o] = Float(pooledValue(o, state, start)) }
            return
        }
        work.values.reset(count: values)
        for k in 0..<values { work.values[k] = max(Float(pooledValue(k, state, start)), 0) }
        for o in 0..<shape.outputs {
            let row = evaluator.outputWeights.lowerBound + o * values
            let bias = Double(evaluator.parameters[evaluator.outputBias.lowerBound + o])
            y[place + o] = Float(dot(evaluator.parameters[row..<row + values], work.values[...]) + bias)
        }
    }

    // r[k]
    private func pooledValue(_ k: Int, _ state: Span<Double>, _ start: Int) -> Double {
        var r = 0.0
        for h in 0..<heads {
            let head = start + h * size, bias = Double(evaluator.bias(h, k))
            r +=
                isSoftmax
                ? state[head + 2 + k] / state[head + 1] + bias : state[head + 1 + k] + bias * state[head]
        }
        return r
    }

    // The later tokens' logits were taken p·count too small.
    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) {
        guard isSoftmax else {
            for i in 0..<stateCount { state[start + i] += later[place + i] }
            return
        }
        for h in 0..<heads {
            let own = start + h * size, other = place + h * size
            let moved = later[other] + positions[h] * Double(count)
            let largest = max(state[own], moved)
            guard largest > -.infinity else { continue }
            let (scale, otherScale) = (exp(state[own] - largest), exp(moved - largest))
            state[own] = largest
            for i in 1..<size { state[own + i] = state[own + i] * scale + later[other + i] * otherScale }
        }
    }

    // r, which only a hidden layer needs.
    func finish(_ state: Span<Double>, at start: Int, into finished: inout [Float]) {
        finished.reset(count: evaluator.shape.hidden > 0 ? values : 0)
        guard evaluator.shape.hidden > 0 else { return }
        for k in 0..<values { finished[k] = Float(pooledValue(k, state, start)) }
    }

    // a[h] of the token, and a[h]·(v[h,o] + β_ho), or with a hidden layer a[h]·Σ_k Wo_ok·(v[h,k] + β_hk) over the units
    // k that are active at the end.
    func tell(
        _ token: borrowing PrefixToken, in state: Span<Double>, at start: Int, _ r: [Float],
        attention: inout MutableSpan<Float>, at head: Int, contributions: inout MutableSpan<Float>,
        at part: Int, _ work: inout PrefixWorkspace
    ) {
        let outputs = evaluator.shape.outputs
        for h in 0..<heads {
            var a = 0.0
            if isSoftmax {
                let logit = Double(token[h]) + positions[h] * Double(token.position)
                a = exp(logit - state[start + h * size]) / state[start + h * size + 1]
            } else {
                a = Double(tanhAttention(h, token))
            }
            attention[head + h] = Float(a)
            let first = heads + h * values
            for o in 0..<outputs {
                var value = 0.0
                if evaluator.shape.hidden == 0 {
                    value = Double(token[first + o]) + Double(evaluator.bias(h, o))
                } else {
                    for k in 0..<values where r[k] > 0 {
                        let weight = evaluator.parameters[evaluator.outputWeights.lowerBound + o * values + k]
                        value += Double(weight) * (Double(token[first + k]) + Double(evaluator.bias(h, k)))
                    }
                }
                contributions[part + h * outputs + o] = Float(a * value)
            }
        }
    }
}
