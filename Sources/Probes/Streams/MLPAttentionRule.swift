// MLPAttention.swift's formula token by token: two layers of the token, then the state of the attention behind them.
import Tensors

struct MLPAttentionRule: PrefixRule {
    private let units: Int
    private let width: Int
    private let parameters: [Float]
    // c₂ in the flat vector.
    private let biases: Int
    private let attention: AttentionRule
    // W₂ and the attention's [q | v].
    private let second: Projection
    private let behind: Projection

    init(_ shape: MLPAttentionArchitecture, _ parameters: [Float]) {
        (units, width, self.parameters) = (shape.units, shape.width, parameters)
        let layer = shape.tensors.range(of: "mlp.2.weight")!
        biases = layer.upperBound
        attention = AttentionRule(shape.attention, Array(parameters[(biases + units)...]))
        second = Projection(parameters[layer], rows: units, width: units)
        let weights = attention.tokenWeights
        behind = Projection(weights, rows: weights.count / units, width: units)
    }

    // W₁: U×D
    var tokenWeights: ArraySlice<Float> { parameters[..<(units * width)] }
    var stateCount: Int { attention.stateCount }
    var headCount: Int { attention.headCount }
    var isMergeable: Bool { attention.isMergeable }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) { attention.begin(&state, at: start) }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) throws(NonFiniteProjection) {
        embed(token, &work)
        try attend(&state, start, token, work.products)
    }

    // The products of the second layer.
    private func embed(_ token: borrowing PrefixToken, _ work: inout PrefixWorkspace) {
        work.first.grow(to: units)
        for u in 0..<units { work.first[u] = max(token[u] + parameters[units * width + u], 0) }
        multiply(second, work.first, &work.second)
        for u in 0..<units { work.second[u] = max(work.second[u] + parameters[biases + u], 0) }
        multiply(behind, work.second, &work.products)
    }

    private func multiply(_ weights: Projection, _ layer: [Float], _ products: inout [Float]) {
        weights.apply(layer.span.extracting(first: units), count: 1, into: &products)
    }

    private func attend(
        _ state: inout MutableSpan<Double>, _ start: Int, _ token: borrowing PrefixToken, _ products: [Float]
    ) throws(NonFiniteProjection) {
        guard allFinite(products[..<behind.rows]) else { throw NonFiniteProjection() }
        let inner = PrefixToken(
            token.states, position: token.position, seen: token.seen, products: products.span, from: 0,
            stride: 1)
        var none = PrefixWorkspace()
        attention.advance(&state, at: start, inner, &none)
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) { attention.outputs(state, at: start, seen: seen, into: &y, at: place, &work) }

    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) { attention.merge(&state, at: start, later, at: place, count: count) }

    func finish(_ state: Span<Double>, at start: Int, into finished: inout [Float]) {
        attention.finish(state, at: start, into: &finished)
    }

    func tell(
        _ token: borrowing PrefixToken, in state: Span<Double>, at start: Int, _ finished: [Float],
        attention heads: inout MutableSpan<Float>, at head: Int, contributions: inout MutableSpan<Float>,
        at part: Int, _ work: inout PrefixWorkspace
    ) {
        embed(token, &work)
        let products = work.products
        let inner = PrefixToken(
            token.states, position: token.position, seen: token.seen, products: products.span, from: 0,
            stride: 1)
        attention.tell(
            inner, in: state, at: start, finished, attention: &heads, at: head, contributions: &contributions,
            at: part, &work)
    }
}
