import Activations
import Tensors

// A pass over tiles of a whole sequence, as TokenScorer.swift makes it.
extension PrefixPass {
    /// The products of some unmasked tokens, R×count from element `start` on.
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
            products.append(
                contentsOf: repeatElement(0, count: max(end, 2 * products.count) - products.count))
        }
        projection.apply(sequence, range, into: &products, at: start, scratch: &scratch)
        return allFinite(products[start..<end])
    }

    /// Adds some unmasked tokens to a state, and writes the outputs of all probes at each of the positions that go with
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
        let first = sequence.position(range.lowerBound)
        let isUnbroken = sequence.position(range.upperBound - 1) - first == range.count - 1
        for i in rules.indices {
            let (rule, own) = (rules[i], stateRange(i).lowerBound)
            if isUnbroken, positions.count == range.count, let rule = tileRules[i] {
                rule.advance(
                    &numbers, at: own, tile(i, range, first, products, start), into: &rows,
                    at: outputRange(i).lowerBound, stride: outputCount, &work.rules)
                continue
            }
            var position = positions.lowerBound
            for offset in 0..<range.count {
                let seen = range.lowerBound + offset
                let next = isUnbroken ? first + offset : sequence.position(seen)
                while position < next {
                    write(rule, i, numbers.span, own, seen, &rows, position - positions.lowerBound, &work)
                    position += 1
                }
                let token = PrefixToken(
                    states.isEmpty ? states : states.extracting(offset * width..<(offset + 1) * width),
                    position: position, seen: seen, products: products.span,
                    from: start + ruleRows[i] * range.count + offset, stride: range.count)
                try rule.advance(&numbers, at: own, token, &work.rules)
                write(rule, i, numbers.span, own, seen + 1, &rows, position - positions.lowerBound, &work)
                position += 1
            }
            while position < positions.upperBound {
                write(
                    rule, i, numbers.span, own, range.upperBound, &rows, position - positions.lowerBound,
                    &work)
                position += 1
            }
        }
    }

    // Some tokens of a sequence at positions from the first on.
    @_lifetime(borrow products)
    private func tile(
        _ rule: Int, _ range: Range<Int>, _ first: Int, _ products: [Float], _ start: Int
    ) -> PrefixTile {
        PrefixTile(
            products.span, from: start + ruleRows[rule] * range.count, count: range.count, position: first,
            seen: range.lowerBound)
    }

    // The outputs of one probe in a row of those of all.
    private func write(
        _ rule: any PrefixRule, _ i: Int, _ state: Span<Double>, _ own: Int, _ seen: Int,
        _ rows: inout MutableSpan<Float>, _ row: Int, _ work: inout Workspace
    ) {
        let outputs = outputRange(i)
        let place = row * outputCount + outputs.lowerBound
        guard seen > 0 else {
            for o in 0..<outputs.count { rows[place + o] = .nan }
            return
        }
        rule.outputs(state, at: own, seen: seen, into: &rows, at: place, &work.rules)
    }

    /// Makes ready to `tell` of a sequence whose state at its end is given.
    func finish(_ state: [Double], seen: Int, _ work: inout Workspace) {
        while work.finished.count < rules.count { work.finished.append([]) }
        for i in rules.indices {
            rules[i].finish(state.span, at: stateRange(i).lowerBound, into: &work.finished[i])
        }
    }

    /// Writes the attention of some unmasked tokens and what they add to outputs, at those of the positions that are
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
            detailRanges[rules.count - 1].heads.upperBound,
            detailRanges[rules.count - 1].contributions.upperBound
        )
        let first = sequence.position(range.lowerBound)
        let isUnbroken = sequence.position(range.upperBound - 1) - first == range.count - 1
        for i in rules.indices where rules[i].headCount > 0 {
            let (rule, own, finished) = (rules[i], stateRange(i).lowerBound, work.finished[i])
            if isUnbroken, let rule = tileRules[i] {
                let row = first - positions.lowerBound
                rule.tell(
                    tile(i, range, first, products, start), in: state.span, at: own,
                    attention: &heads, at: row * headCount + detailRanges[i].heads.lowerBound,
                    stride: headCount, contributions: &parts,
                    at: row * partCount + detailRanges[i].contributions.lowerBound, stride: partCount,
                    &work.rules)
                continue
            }
            for offset in 0..<range.count {
                let seen = range.lowerBound + offset
                let position = isUnbroken ? first + offset : sequence.position(seen)
                let row = position - positions.lowerBound
                let token = PrefixToken(
                    none.span, position: position, seen: seen, products: products.span,
                    from: start + ruleRows[i] * range.count + offset, stride: range.count)
                rule.tell(
                    token, in: state.span, at: own, finished,
                    attention: &heads, at: row * headCount + detailRanges[i].heads.lowerBound,
                    contributions: &parts, at: row * partCount + detailRanges[i].contributions.lowerBound,
                    &work.rules)
            }
        }
    }
}
