// Linear probes on one pooled hidden state, token by token. Their products are taken in double precision, as over
// whole sequences: where means are far from 0, large terms take each other away.
//
//     mean     Σ_j W·x_j         y = that/n + b
//     last     W·x_n             y = that + b
//     absmax   max_j |x_jk|      y = W·that + b
import Tensors

struct PooledRule: PrefixRule {
    let shape: PooledArchitecture
    let parameters: [Float]

    private var outputs: Int { shape.outputs }
    var stateCount: Int { shape.pooling == .absmax ? shape.width : outputs }
    var isMergeable: Bool { true }

    private func row(_ o: Int) -> ArraySlice<Float> { parameters[o * shape.width..<(o + 1) * shape.width] }

    // 0 is below every magnitude. No product is NaN, which says that there is no last token yet.
    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for i in 0..<stateCount { state[start + i] = shape.pooling == .last ? .nan : 0 }
    }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) {
        switch shape.pooling {
        case .mean: for o in 0..<outputs { state[start + o] += dot(row(o).span, token.states) }
        case .last: for o in 0..<outputs { state[start + o] = dot(row(o).span, token.states) }
        case .absmax:
            for d in 0..<shape.width {
                let magnitude = Double(abs(token.states[d]))
                if magnitude > state[start + d] { state[start + d] = magnitude }
            }
        }
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) {
        for o in 0..<outputs {
            let bias = Double(parameters[outputs * shape.width + o])
            switch shape.pooling {
            case .mean: y[place + o] = Float(state[start + o] / Double(seen) + bias)
            case .last: y[place + o] = Float(state[start + o] + bias)
            case .absmax:
                var sum = bias
                for d in 0..<shape.width {
                    sum += Double(parameters[o * shape.width + d]) * state[start + d]
                }
                y[place + o] = Float(sum)
            }
        }
    }

    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) {
        for i in 0..<stateCount {
            let (own, other) = (state[start + i], later[place + i])
            switch shape.pooling {
            case .mean: state[start + i] = own + other
            case .last: state[start + i] = other.isNaN ? own : other
            case .absmax: state[start + i] = max(own, other)
            }
        }
    }
}
