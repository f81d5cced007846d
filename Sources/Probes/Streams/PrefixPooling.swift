// Probes on pooled scores of tokens, token by token: what each pooling keeps of the scores z_1 … z_n.
import Tensors

/// A pooling of scores that need not be kept for it.
package protocol PrefixPooling: ScorePooling {
    /// Numbers that are kept.
    var stateCount: Int { get }
    /// Whether `merge` is exact.
    var isMergeable: Bool { get }
    /// Writes the state of no scores, `stateCount` numbers from `start` on.
    func begin(_ state: inout MutableSpan<Double>, at start: Int)
    /// Adds a score after `seen` others.
    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int)
    /// The pooled score of the `seen` scores so far, at least one: what `pool` gives of them, up to rounding.
    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float
    /// Adds what another state has of the scores that follow. Either may have none.
    ///
    /// - Precondition: `isMergeable`.
    func merge(_ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int)
}

extension PrefixPooling {
    /// False.
    package var isMergeable: Bool { false }

    /// - Precondition: none holds; a mergeable pooling has its own.
    package func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int
    ) { preconditionFailure("a pooling that cannot merge") }
}

/// The rule of TokenScoreArchitecture.swift's probes: a state of the pooling for every head and output.
struct TokenScoreRule: PrefixRule {
    let width: Int
    let outputs: Int
    let rows: Int
    let pooling: any PrefixPooling
    let parameters: [Float]

    init(_ shape: TokenScoreArchitecture, _ pooling: any PrefixPooling, _ parameters: [Float]) {
        (width, outputs, rows) = (shape.width, shape.outputs, shape.heads * shape.outputs)
        (self.pooling, self.parameters) = (pooling, parameters)
    }

    var tokenWeights: ArraySlice<Float> { parameters[..<(rows * width)] }
    var stateCount: Int { rows * pooling.stateCount }
    var isMergeable: Bool { pooling.isMergeable }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for r in 0..<rows { pooling.begin(&state, at: start + r * pooling.stateCount) }
    }

    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) throws(NonFiniteProjection) {
        work.values.reset(count: rows)
        for r in 0..<rows { work.values[r] = token[r] + parameters[rows * width + r] }
        guard allFinite(work.values[...]) else { throw NonFiniteProjection() }
        for r in 0..<rows {
            pooling.advance(&state, at: start + r * pooling.stateCount, work.values[r], seen: token.seen)
        }
    }

    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into y: inout MutableSpan<Float>, at place: Int,
        _ work: inout PrefixWorkspace
    ) {
        for o in 0..<outputs { y[place + o] = 0 }
        for r in 0..<rows {
            y[place + r % outputs] += pooling.value(state, at: start + r * pooling.stateCount, seen: seen)
        }
    }

    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) {
        for r in 0..<rows {
            pooling.merge(
                &state, at: start + r * pooling.stateCount, later, at: place + r * pooling.stateCount)
        }
    }
}
