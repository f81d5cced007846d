// TPC.swift's formula token by token: the sum of the tokens, D numbers.
import Tensors

struct PolynomialRule: PrefixRule {
    let polynomial: Polynomial

    private var width: Int { polynomial.shape.width }
    var stateCount: Int { width }
    var isMergeable: Bool { true }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for i in 0..<width { state[start + i] = 0 }
    }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) {
        for d in 0..<width { state[start + d] += Double(token.states[d]) }
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) {
        work.values.reset(count: width)
        for d in 0..<width { work.values[d] = Float(state[start + d] / Double(seen)) }
        polynomial.outputs(work.values[...], into: &work.sums)
        for o in 0..<polynomial.shape.outputs { y[place + o] = Float(work.sums[o]) }
    }

    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) {
        for d in 0..<width { state[start + d] += later[place + d] }
    }
}
