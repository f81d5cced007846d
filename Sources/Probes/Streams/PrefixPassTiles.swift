import Activations
import Tensors

// A pass over tiles of a whole sequence, as TokenScorer.swift makes it.
extension PrefixPass {
    /// The products of some visible tokens, R×count from element `start` on.
    ///
    /// - Returns: whether they are finite, or where there are none the tokens.
    func project(
        _ sequence: TokenSequence, _ range: Range<Int>, into products: inout [Float], at start: Int,
        scratch: inout [Float], _ work: inout Workspace
    ) -> Bool {
        guard let projection else {
            return sequence.withTokens(range, scratch: &scratch) { allFinite($0) }
        }
        let end = start + range.count * rowCount
        if products.count < end {
            products.append(contentsOf: repeatElement(0, count: max(end, 2 * products.count) - products.count))
        }
        projection.apply(sequence, range, into: &products, at: start, scratch: &scratch)
        return allFinite(products[start..<end])
    }

    /// Adds some visible tokens to a state, and writes the outputs of all probes at each of the positions that go with
    /// them, NaN where none was seen.
    func advance(
        _ state: inout [Double], _ sequence: TokenSequence, _ range: Range<Int>, _ positions: Range<Int>,
        _ products: [Float], from start: Int, tokens: inout [Float], logits: inout [Float],
        _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        guard meetsStates else {
            let none: [Float] = []
            return try advance(
                &state, sequence, range, positions, products, start, none.span, &logits, &work)
        }
        try sequence.withTokens(range, scratch: &tokens) { (states) throws(NonFiniteProjection) in
            try advance(&state, sequence, range, positions, products, start, states, &logits, &work)
        }
    }

    private func advance(
        _ state: inout [Double], _ sequence: TokenSequence, _ range: Range<Int>, _ positions: Range<Int>,
        _ products: [Float], _ start: Int, _ states: Span<Float>, _ logits: inout [Float],
        _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        var numbers = state.mutableSpan
        var rows = logits.mutableSpan
        var j = range.lowerBound
        for position in positions {
            if j < range.upperBound, sequence.position(j) == position {
                let offset = j - range.lowerBound
                for i in rules.indices {
                    let token = PrefixToken(
                        states.isEmpty ? states : states.extracting(offset * width..<(offset + 1) * width),
                        position: position, seen: j, products: products.span,
                        from: start + ruleRows[i] * range.count + offset, stride: range.count)
                    try rules[i].advance(&numbers, at: stateRange(i).lowerBound, token, &work.rules)
                }
                j += 1
            }
            write(
                numbers.span, at: 0, seen: j, into: &rows,
                at: (position - positions.lowerBound) * outputCount, &work)
        }
    }

    /// Makes ready to `tell` of a sequence whose state at its end is given.
    func finish(_ state: [Double], seen: Int, _ work: inout Workspace) {
        while work.finished.count < rules.count { work.finished.append([]) }
        for i in rules.indices {
            rules[i].finish(state.span, at: stateRange(i).lowerBound, into: &work.finished[i])
        }
    }

    /// Writes the attention of some visible tokens and what they add to outputs, at those of the positions that are
    /// theirs.
    func tell(
        _ state: [Double], _ sequence: TokenSequence, _ range: Range<Int>, _ positions: Range<Int>,
        _ products: [Float], from start: Int, attention: inout [Float], contributions: inout [Float],
        _ work: inout Workspace
    ) {
        var heads = attention.mutableSpan
        var parts = contributions.mutableSpan
        let none: [Float] = []
        let (headCount, partCount) = (
            detailRanges[rules.count - 1].heads.upperBound, detailRanges[rules.count - 1].contributions.upperBound
        )
        for (offset, j) in range.enumerated() {
            let position = sequence.position(j)
            let row = position - positions.lowerBound
            for i in rules.indices where rules[i].headCount > 0 {
                let token = PrefixToken(
                    none.span, position: position, seen: j, products: products.span,
                    from: start + ruleRows[i] * range.count + offset, stride: range.count)
                rules[i].tell(
                    token, in: state.span, at: stateRange(i).lowerBound, work.finished[i],
                    attention: &heads, at: row * headCount + detailRanges[i].heads.lowerBound,
                    contributions: &parts, at: row * partCount + detailRanges[i].contributions.lowerBound,
                    &work.rules)
            }
        }
    }
}
