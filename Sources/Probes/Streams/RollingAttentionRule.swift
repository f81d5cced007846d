// RollingAttention.swift's formula token by token. The state of a head: the logits of the last w tokens, token j at
// place j mod w, and then for each output their values in the same order and the largest mean so far.
private import Glibc
import Tensors

struct RollingAttentionRule: PrefixRule {
    let shape: RollingAttentionArchitecture
    let parameters: [Float]

    private var rows: Int { shape.heads * (1 + shape.outputs) }
    private var size: Int { shape.window + shape.outputs * (shape.window + 1) }

    var tokenWeights: ArraySlice<Float> { parameters[..<(rows * shape.width)] }
    var stateCount: Int { shape.heads * size }

    // Where the values of an output begin; the largest mean is behind them.
    private func values(_ head: Int, _ o: Int) -> Int { head + shape.window + o * (shape.window + 1) }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for i in 0..<stateCount { state[start + i] = 0 }
        for h in 0..<shape.heads {
            for o in 0..<shape.outputs { state[values(start + h * size, o) + shape.window] = -.infinity }
        }
    }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) {
        let window = shape.window
        let (place, count) = (token.seen % window, min(token.seen + 1, window))
        if work.sums.count < count { work.sums = Array(repeating: 0, count: count) }
        for h in 0..<shape.heads {
            let head = start + h * size
            state[head + place] = Double(token[h])
            var largest = -Double.infinity
            for i in 0..<count { largest = max(largest, state[head + i]) }
            var sum = 0.0
            for i in 0..<count {
                work.sums[i] = exp(state[head + i] - largest)
                sum += work.sums[i]
            }
            for o in 0..<shape.outputs {
                let own = values(head, o)
                state[own + place] = Double(token[shape.heads + h * shape.outputs + o])
                var weighted = 0.0
                for i in 0..<count { weighted += work.sums[i] * state[own + i] }
                state[own + window] = max(state[own + window], weighted / sum)
            }
        }
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) {
        for o in 0..<shape.outputs {
            y[place + o] = 0
            for h in 0..<shape.heads {
                let bias = parameters[rows * shape.width + h * shape.outputs + o]
                y[place + o] += Float(state[values(start + h * size, o) + shape.window]) + bias
            }
        }
    }
}
