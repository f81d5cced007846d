// LayeredArchitecture.swift's formula token by token: two layers of the token, then the state of the probe behind them.
import Tensors

struct LayeredRule: PrefixRule {
    private let units: Int
    private let width: Int
    private let parameters: [Float]
    // c₂ in the flat vector.
    private let biases: Int
    private let inner: any PrefixRule
    // W₂ and the weights of the probe behind the layers.
    private let second: Projection
    private let behind: Projection

    init(_ shape: LayeredArchitecture, _ parameters: [Float], _ inner: any PrefixRule) {
        (units, width, self.parameters, self.inner) = (shape.units, shape.width, parameters, inner)
        biases = shape.second.upperBound
        second = Projection(parameters[shape.second], rows: units, width: units)
        let weights = inner.tokenWeights
        behind = Projection(weights, rows: weights.count / units, width: units)
    }

    // W₁: U×D
    var tokenWeights: ArraySlice<Float> { parameters[..<(units * width)] }
    var stateCount: Int { inner.stateCount }
    var headCount: Int { inner.headCount }
    var isMergeable: Bool { inner.isMergeable }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) { inner.begin(&state, at: start) }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) throws(NonFiniteProjection) {
        embed(token, &work)
        // Lent to the token, so that the workspace is free for the probe.
        var products: [Float] = []
        swap(&products, &work.products)
        defer { swap(&products, &work.products) }
        guard allFinite(products[..<behind.rows]) else { throw NonFiniteProjection() }
        try inner.advance(&state, at: start, self.token(token, products.span), &work)
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

    // The token behind the layers.
    @_lifetime(copy products, copy token)
    private func token(_ token: borrowing PrefixToken, _ products: Span<Float>) -> PrefixToken {
        PrefixToken(
            token.states, position: token.position, seen: token.seen, products: products, from: 0, stride: 1)
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) { inner.outputs(state, at: start, seen: seen, into: &y, at: place, &work) }

    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) { inner.merge(&state, at: start, later, at: place, count: count) }

    func finish(_ state: Span<Double>, at start: Int, into finished: inout [Float]) {
        inner.finish(state, at: start, into: &finished)
    }

    func tell(
        _ token: borrowing PrefixToken, in state: Span<Double>, at start: Int, _ finished: [Float],
        attention heads: inout MutableSpan<Float>, at head: Int, contributions: inout MutableSpan<Float>,
        at part: Int, _ work: inout PrefixWorkspace
    ) {
        embed(token, &work)
        let products = work.products
        inner.tell(
            self.token(token, products.span), in: state, at: start, finished, attention: &heads, at: head,
            contributions: &contributions, at: part, &work)
    }
}
