import Activations
import Tensors

/// The rules of several probes, whose products with a token are one, and where each has its numbers in a state that is
/// end to end.
final class PrefixPass: Sendable {
    let probes: [Probe]
    let width: Int
    /// Numbers of a state of all.
    let stateCount: Int
    /// Outputs of all.
    let outputCount: Int
    let rules: [any PrefixRule]
    /// Those that take tiles of tokens.
    let tileRules: [(any PrefixTileRule)?]
    /// Where the products of each rule begin.
    let ruleRows: [Int]
    private let states, outputs: [Int]
    let projection: Projection?
    /// Whether some rule looks at hidden states themselves.
    let meetsStates: Bool
    /// Where the heads of each rule are among those of all, and what they add to outputs likewise.
    let detailRanges: [(heads: Range<Int>, contributions: Range<Int>)]

    /// - Precondition: there is a probe, and all have one width.
    /// - Throws: `DataError` where a probe is of a kind that cannot be scored token by token.
    init(_ probes: [Probe]) throws(DataError) {
        precondition(
            !probes.isEmpty && probes.allSatisfy { $0.width == probes[0].width }, "probes of several widths")
        (self.probes, width) = (probes, probes[0].width)
        var rules: [any PrefixRule] = []
        var (rows, states, outputs) = ([0], [0], [0])
        var weights: [Float] = []
        var scoredRows = 0
        for probe in probes {
            guard let rule = probe.architecture.prefixRule(probe.parameters) else {
                throw DataError(
                    .mismatch, "the probe", expected: "a kind that can be scored token by token",
                    found: probe.configuration.kind.rawValue)
            }
            rules.append(rule)
            weights += rule.tokenWeights
            rows.append(weights.count / width)
            states.append(states[states.count - 1] + rule.stateCount)
            outputs.append(outputs[outputs.count - 1] + probe.task.outputs)
            // Of several layers each has a product of its own when a sequence is scored.
            let scored =
                probe.configuration.partLayers.isEmpty
                ? probe.architecture.evaluator(probe.parameters).tokenWeights : rule.tokenWeights
            scoredRows += scored.count / width
        }
        (self.rules, ruleRows, self.states, self.outputs) = (rules, rows, states, outputs)
        tileRules = rules.map { ($0 as? any PrefixTileRule).flatMap { $0.takesTiles ? $0 : nil } }
        meetsStates = rules.contains(where: \.meetsStates)
        var (heads, parts) = (0, 0)
        detailRanges = zip(rules, probes).map { rule, probe in
            let begin = (heads, parts)
            heads += rule.headCount
            parts += rule.headCount * probe.task.outputs
            return (begin.0..<heads, begin.1..<parts)
        }
        (stateCount, outputCount) = (states[probes.count], outputs[probes.count])
        // The plan that scoring takes, so that products have the bits that they have there.
        projection =
            weights.isEmpty
            ? nil
            : Projection(
                weights[...], rows: weights.count / width, width: width, plan: .best(rows: scoredRows))
    }

    /// R, the products of a token.
    var rowCount: Int { projection?.rows ?? 0 }

    /// Tokens whose products are taken together.
    var tileSize: Int { projection?.tileSize ?? max(1, 65536 / width) }

    /// Where a probe's outputs are among those of all.
    func outputRange(_ probe: Int) -> Range<Int> { outputs[probe]..<outputs[probe + 1] }

    /// Where a probe's numbers are in a state.
    func stateRange(_ probe: Int) -> Range<Int> { states[probe]..<states[probe + 1] }

    /// Whether two states can become one.
    var isMergeable: Bool { rules.allSatisfy(\.isMergeable) }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for (i, rule) in rules.enumerated() { rule.begin(&state, at: start + states[i]) }
    }

    /// Takes the products of a tile of tokens, count×D, before `advance`.
    ///
    /// - Returns: whether they, or the tokens if there are none, are finite.
    func project(_ tokens: Span<Float>, count: Int, _ work: inout Workspace) -> Bool {
        guard let projection else { return allFinite(tokens.extracting(first: count * width)) }
        projection.apply(tokens, count: count, into: &work.products)
        return allFinite(work.products.span.extracting(first: projection.rows * count))
    }

    /// Whether what `project` took of one token is finite.
    func isFinite(_ tokens: Span<Float>, _ token: Int, of count: Int, _ work: Workspace) -> Bool {
        guard let projection else {
            return allFinite(tokens.extracting(token * width..<(token + 1) * width))
        }
        return (0..<projection.rows).allSatisfy { work.products[$0 * count + token].isFinite }
    }

    /// Adds a token of the tile that `project` was given to a state, in which some probes may have added it where another
    /// throws.
    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ tokens: Span<Float>, token: Int, of count: Int,
        position: Int, seen: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        try advance(
            &state, at: start, tokens, token: token, of: count, position: position, seen: seen,
            work.products, &work.rules)
    }

    private func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ tokens: Span<Float>, token: Int, of count: Int,
        position: Int, seen: Int, _ products: [Float], _ work: inout PrefixWorkspace
    ) throws(NonFiniteProjection) {
        let own = tokens.extracting(token * width..<(token + 1) * width)
        for i in rules.indices {
            let met = PrefixToken(
                own, position: position, seen: seen, products: products.span,
                from: ruleRows[i] * count + token, stride: count)
            try rules[i].advance(&state, at: start + states[i], met, &work)
        }
    }

    /// Writes the outputs of all probes from element `place` on, NaN where no token was seen.
    func write(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout Workspace
    ) {
        guard seen > 0 else {
            for o in 0..<outputCount { y[place + o] = .nan }
            return
        }
        for i in rules.indices {
            rules[i].outputs(
                state, at: start + states[i], seen: seen, into: &y, at: place + outputs[i], &work.rules)
        }
    }

    // The same for the state of one stream alone.

    func begin(_ state: inout [Double], at start: Int) {
        var span = state.mutableSpan
        begin(&span, at: start)
    }

    func advance(
        _ state: inout [Double], _ tokens: Span<Float>, token: Int, of count: Int, position: Int, seen: Int,
        _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        var span = state.mutableSpan
        try advance(
            &span, at: 0, tokens, token: token, of: count, position: position, seen: seen, &work)
    }

    func write(_ state: [Double], seen: Int, into y: inout [Float], _ work: inout Workspace) {
        var span = y.mutableSpan
        write(state.span, at: 0, seen: seen, into: &span, at: 0, &work)
    }

    func merge(_ state: inout [Double], _ later: [Double], count: Int) {
        var span = state.mutableSpan
        merge(&span, later.span, count: count)
    }

    private func merge(_ state: inout MutableSpan<Double>, _ later: Span<Double>, count: Int) {
        for i in rules.indices {
            rules[i].merge(&state, at: states[i], later, at: states[i], count: count)
        }
    }

    /// What a token is refused for.
    func fault(_ token: Span<Float>, _ path: String, _ place: String) -> DataError {
        for d in token.indices where !token[d].isFinite {
            return DataError(
                .nonFinite, path, "\(place), dimension \(d)", expected: "a finite number",
                found: "\(token[d])")
        }
        return DataError(
            .overflow, path, place, expected: "finite products of hidden states and the probe's weights",
            found: "products beyond the range of float32")
    }

    /// Buffers of one thread.
    struct Workspace: Sendable {
        var products: [Float] = []
        var rules = PrefixWorkspace()
        var finished: [[Float]] = []
    }
}
