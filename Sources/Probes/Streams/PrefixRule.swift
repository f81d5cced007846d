// How a score grows with its sequence. A rule keeps a state of a fixed number of doubles, takes one token after the
// other, and gives at any time the outputs that the tokens so far have as a sequence of their own.
import Tensors

/// How a probe is scored token by token.
///
/// What the numbers of a state mean is the rule's. Who calls keeps them, and counts tokens.
package protocol PrefixRule: Sendable {
    /// Weight rows, R×D, whose products with a token `advance` wants; none for rules that look at the hidden state
    /// itself.
    var tokenWeights: ArraySlice<Float> { get }
    /// Whether it looks at the hidden state itself.
    var meetsStates: Bool { get }
    /// Numbers of a state.
    var stateCount: Int { get }
    /// Whether `merge` is exact.
    var isMergeable: Bool { get }
    /// H, the heads whose attention over a whole sequence `tell` tells; 0 for rules without.
    var headCount: Int { get }

    /// Writes the state of no tokens, `stateCount` numbers from `start` on.
    func begin(_ state: inout MutableSpan<Double>, at start: Int)

    /// Adds a token that the probe may look at.
    ///
    /// - Throws: `NonFiniteProjection`, before anything is changed, where what it computes of the token is no finite
    ///   number. Products with `tokenWeights` are finite, and so are hidden states if there are none.
    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ token: borrowing PrefixToken,
        _ work: inout PrefixWorkspace
    ) throws(NonFiniteProjection)

    /// Writes the O outputs of a state that has seen at least one token, from element `place` of `outputs` on.
    ///
    /// - Parameter seen: how many tokens it has seen.
    func outputs(
        _ state: Span<Double>, at start: Int, seen: Int, into outputs: inout MutableSpan<Float>,
        at place: Int,
        _ work: inout PrefixWorkspace)

    /// Adds what another state has seen of the tokens that follow, whose positions were counted from 0. Either may
    /// have seen none.
    ///
    /// - Parameter count: the positions before the later tokens.
    /// - Precondition: `isMergeable`.
    func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int)

    /// Keeps in `finished` what `tell` needs to know of a whole sequence beside the state at its end.
    func finish(_ state: Span<Double>, at start: Int, into finished: inout [Float])

    /// Writes the attention of each head to a token of a sequence, H numbers, and what that adds to the outputs, H×O.
    ///
    /// - Parameters:
    ///   - token: one of those that were added; its `states` may be empty.
    ///   - state: that at the end of the sequence.
    func tell(
        _ token: borrowing PrefixToken, in state: Span<Double>, at start: Int, _ finished: [Float],
        attention: inout MutableSpan<Float>, at head: Int, contributions: inout MutableSpan<Float>,
        at part: Int, _ work: inout PrefixWorkspace)
}

extension PrefixRule {
    /// None.
    package var tokenWeights: ArraySlice<Float> { [] }
    /// True where there are no `tokenWeights`.
    package var meetsStates: Bool { tokenWeights.isEmpty }
    /// False.
    package var isMergeable: Bool { false }
    /// 0.
    package var headCount: Int { 0 }

    /// - Precondition: none holds; a mergeable rule has its own.
    package func merge(
        _ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int, count: Int
    ) { preconditionFailure("a rule that cannot merge") }

    /// Nothing.
    package func finish(_ state: Span<Double>, at start: Int, into finished: inout [Float]) {}

    /// Nothing: no heads.
    package func tell(
        _ token: borrowing PrefixToken, in state: Span<Double>, at start: Int, _ finished: [Float],
        attention: inout MutableSpan<Float>, at head: Int, contributions: inout MutableSpan<Float>,
        at part: Int, _ work: inout PrefixWorkspace
    ) {}
}

/// A rule that takes the tokens of a tile together where all are at successive positions, with the same results up to
/// rounding.
protocol PrefixTileRule: PrefixRule {
    /// Whether it does so.
    var takesTiles: Bool { get }

    /// Adds tokens, and writes the outputs after each.
    ///
    /// - Parameter place: where the outputs after the first token begin; those after the next are `stride` behind.
    func advance(
        _ state: inout MutableSpan<Double>, at start: Int, _ tile: borrowing PrefixTile,
        into outputs: inout MutableSpan<Float>, at place: Int, stride: Int, _ work: inout PrefixWorkspace)

    /// Writes what `tell` does of each token; likewise with strides.
    func tell(
        _ tile: borrowing PrefixTile, in state: Span<Double>, at start: Int,
        attention: inout MutableSpan<Float>, at head: Int, stride headStride: Int,
        contributions: inout MutableSpan<Float>, at part: Int, stride partStride: Int,
        _ work: inout PrefixWorkspace)
}

/// Tokens at successive positions, as a `PrefixTileRule` meets them.
struct PrefixTile: ~Escapable {
    /// Products with the rule's weights: row r, of as many as there are tokens, begins at `start` + r·`count`.
    let products: Span<Float>
    let start: Int
    /// How many tokens.
    let count: Int
    /// The position of the first.
    let position: Int
    /// How many tokens were seen before.
    let seen: Int

    @_lifetime(copy products)
    init(_ products: Span<Float>, from start: Int, count: Int, position: Int, seen: Int) {
        (self.products, self.start, self.count) = (products, start, count)
        (self.position, self.seen) = (position, seen)
    }

    /// Where a row of products is.
    func row(_ r: Int) -> Range<Int> { start + r * count..<start + (r + 1) * count }

    /// One of the tokens.
    @_lifetime(copy self)
    func token(_ j: Int) -> PrefixToken {
        PrefixToken(
            products.extracting(0..<0), position: position + j, seen: seen + j, products: products,
            from: start + j, stride: count)
    }
}

/// A token that a probe may look at, as a `PrefixRule` meets it.
package struct PrefixToken: ~Escapable {
    /// Its hidden state, D numbers; for a rule without `meetsStates` it may be empty.
    package let states: Span<Float>
    /// Its position in the sequence, counted from 0.
    package let position: Int
    /// How many tokens were seen before it.
    package let seen: Int
    private let products: Span<Float>
    private let start: Int
    private let stride: Int

    @_lifetime(copy states, copy products)
    init(
        _ states: Span<Float>, position: Int, seen: Int, products: Span<Float>, from start: Int, stride: Int
    ) {
        (self.states, self.position, self.seen) = (states, position, seen)
        (self.products, self.start, self.stride) = (products, start, stride)
    }

    /// Its product with one of the rule's `tokenWeights`.
    package subscript(row: Int) -> Float { products[start + row * stride] }

    /// The token as a rule meets it whose `tokenWeights` begin at a row of this one's, and which looks at some columns of
    /// its states.
    @_lifetime(copy self)
    func from(row: Int, columns: Range<Int>) -> PrefixToken {
        PrefixToken(
            states.isEmpty ? states : states.extracting(columns), position: position, seen: seen,
            products: products, from: start + row * stride,
            stride: stride)
    }
}

/// Buffers of one thread that rules use; what is in them means nothing from call to call.
package struct PrefixWorkspace: Sendable {
    /// Sums.
    package var sums: [Double] = []
    /// Weights of tokens.
    var weights: [Double] = []
    /// Numbers of a token or of outputs.
    package var values: [Float] = []
    /// Two layers of a token and the products of the second.
    var first: [Float] = []
    var second: [Float] = []
    var products: [Float] = []
    /// Outputs of one part of several.
    var part: [Float] = []

    /// Empty buffers.
    package init() {}
}
