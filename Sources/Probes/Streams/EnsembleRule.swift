// Ensemble.swift's formula token by token: the states of all parts, end to end.
import Tensors

struct EnsembleRule: PrefixRule {
    private let parts: [any PrefixRule]
    private let combination: Combination
    // Where each part's products, numbers, heads and contributions begin.
    private let rows, states, heads: [Int]
    // The columns of a token's states that each part looks at.
    private let columns: [Range<Int>]
    private var outputs: Int { combination.constants.count }

    let tokenWeights: ArraySlice<Float>
    var stateCount: Int { states[parts.count] }
    var headCount: Int { heads[parts.count] }
    var meetsStates: Bool { parts.contains(where: \.meetsStates) }
    var isMergeable: Bool { parts.allSatisfy(\.isMergeable) }

    /// - Parameter columns: those that each part reads of a token's states. Its weights are 0 for the others.
    init(_ parts: [any PrefixRule], _ combination: Combination, columns: [Range<Int>], width: Int) {
        (self.parts, self.combination, self.columns) = (parts, combination, columns)
        tokenWeights =
            zip(parts, columns).flatMap { part, columns in
                part.tokenWeights.rows(of: columns.count).flatMap { row in
                    Array(repeating: 0, count: columns.lowerBound) + row
                        + Array(repeating: 0, count: width - columns.upperBound)
                }
            }[...]
        func starts(_ count: (any PrefixRule) -> Int) -> [Int] {
            parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + count($1)) }
        }
        let width = columns[0].count
        rows = starts { $0.tokenWeights.count / width }
        states = starts(\.stateCount)
        heads = starts(\.headCount)
    }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for (i, part) in parts.enumerated() { part.begin(&state, at: start + states[i]) }
    }

    /// Parts before one that throws have added the token.
    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) throws(NonFiniteProjection) {
        for i in parts.indices {
            try parts[i].advance(
                &state, at: start + states[i], token.from(row: rows[i], columns: columns[i]), &work)
        }
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) {
        var own: [Float] = []
        swap(&own, &work.part)
        defer { swap(&own, &work.part) }
        own.grow(to: outputs)
        for o in 0..<outputs { y[place + o] = combination.constants[o] }
        for i in parts.indices {
            var values = own.mutableSpan
            parts[i].outputs(state, at: start + states[i], seen: seen, into: &values, at: 0, &work)
            for o in 0..<outputs { y[place + o] += combination.factors[i * outputs + o] * values[o] }
        }
    }

    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) {
        for i in parts.indices {
            parts[i].merge(&state, at: start + states[i], later, at: place + states[i], count: count)
        }
    }

    // The number of each part, and what it keeps.
    func finish(_ state: Span<Double>, at start: Int, into finished: inout [Float]) {
        finished.removeAll(keepingCapacity: true)
        var own: [Float] = []
        for i in parts.indices {
            own.removeAll(keepingCapacity: true)
            parts[i].finish(state, at: start + states[i], into: &own)
            finished.append(Float(own.count))
            finished += own
        }
    }

    func tell(
        _ token: borrowing PrefixToken, in state: Span<Double>, at start: Int, _ finished: [Float],
        attention: inout MutableSpan<Float>, at head: Int, contributions: inout MutableSpan<Float>,
        at place: Int, _ work: inout PrefixWorkspace
    ) {
        var next = 0
        for i in parts.indices {
            let count = Int(finished[next])
            let own = count == 0 ? [] : Array(finished[next + 1...next + count])
            next += 1 + count
            let added = heads[i] * outputs..<heads[i + 1] * outputs
            guard !added.isEmpty else { continue }
            parts[i].tell(
                token.from(row: rows[i], columns: columns[i]), in: state, at: start + states[i], own,
                attention: &attention, at: head + heads[i],
                contributions: &contributions, at: place + added.lowerBound, &work)
            for k in added { contributions[place + k] *= combination.factors[i * outputs + k % outputs] }
        }
    }
}

extension ArraySlice<Float> {
    // Rows that follow each other.
    fileprivate func rows(of width: Int) -> [ArraySlice<Float>] {
        stride(from: startIndex, to: endIndex, by: width).map { self[$0..<$0 + width] }
    }
}
