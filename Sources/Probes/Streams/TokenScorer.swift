// What single tokens have, a sequence at a time and in memory that does not grow with its length: the score of every
// prefix, and of probes that attend their attention over the whole sequence and what each token adds to the outputs.
import Activations
import Tensors

/// Walks over sequences a tile of tokens at a time, once for the scores of prefixes, and with what is known at the end
/// of a sequence once more for attention.
struct TokenScorer: Sendable {
    let pass: PrefixPass
    /// Heads of all probes that attend, and what they add to outputs, in numbers a token.
    let headCount: Int
    let contributionCount: Int
    // Products of a sequence with so many numbers at most stay in memory between the walks.
    private let mostKept: Int

    /// - Parameter tellsDetails: whether attention and contributions are wanted, which take the second walk.
    /// - Throws: `DataError` where a probe is of a kind that cannot be scored token by token.
    init(_ probes: [Probe], tellsDetails: Bool = true, mostKept: Int = 1 << 20) throws(DataError) {
        pass = try PrefixPass(probes)
        headCount = !tellsDetails ? 0 : pass.detailRanges.reduce(0) { $0 + $1.heads.count }
        contributionCount = pass.detailRanges.reduce(0) { $0 + $1.contributions.count }
        self.mostKept = mostKept
    }

    /// Buffers of one thread.
    struct Workspace: Sendable {
        var rules = PrefixPass.Workspace()
        var state: [Double] = []
        var tokens: [Float] = []
        var products: [Float] = []
        var logits: [Float] = []
        var attention: [Float] = []
        var contributions: [Float] = []
    }

    /// Hands over what the tokens at some successive positions have, until all L are done.
    ///
    /// - Parameters:
    ///   - prefixes: is given logits of all probes, a row a position: of a prefix without a token to look at NaN.
    ///   - details: after all of these, is given the attention of all heads and all that is added to outputs, a row a
    ///     position, where there is any: of a token out of sight 0.
    /// - Throws: `NonFiniteProjection` where a token, a product or an output is not finite; what the others throw.
    func score(
        _ sequence: TokenSequence, _ work: inout Workspace,
        prefixes: (Range<Int>, [Float]) throws -> Void,
        details: (Range<Int>, _ attention: [Float], _ contributions: [Float]) throws -> Void
    ) throws {
        if work.state.count != pass.stateCount {
            work.state = Array(repeating: 0, count: pass.stateCount)
        }
        pass.begin(&work.state, at: 0)
        let (n, tile) = (sequence.count, pass.tileSize)
        let isKept = headCount > 0 && pass.rowCount * n <= mostKept
        for start in stride(from: 0, to: n, by: tile) {
            let range = start..<min(start + tile, n)
            try project(sequence, range, &work, keepingAt: isKept ? start * pass.rowCount : 0)
            let positions = positions(range, sequence)
            work.logits.reset(count: positions.count * pass.outputCount)
            try advance(sequence, range, positions, keptAt: isKept ? start * pass.rowCount : 0, &work)
            try prefixes(positions, work.logits)
        }
        guard headCount > 0 else { return }
        pass.finish(work.state, seen: n, &work.rules)
        for start in stride(from: 0, to: n, by: tile) {
            let range = start..<min(start + tile, n)
            if !isKept { try project(sequence, range, &work, keepingAt: 0) }
            let positions = positions(range, sequence)
            work.attention.reset(count: positions.count * headCount)
            work.contributions.reset(count: positions.count * contributionCount)
            tell(sequence, range, positions, keptAt: isKept ? start * pass.rowCount : 0, &work)
            try details(positions, work.attention, work.contributions)
        }
    }

    // Positions that go with some unmasked tokens: those out of sight before each, and behind the last.
    private func positions(_ range: Range<Int>, _ sequence: TokenSequence) -> Range<Int> {
        let start = range.lowerBound == 0 ? 0 : sequence.position(range.lowerBound - 1) + 1
        let end =
            range.upperBound == sequence.count
            ? sequence.rows.count : sequence.position(range.upperBound - 1) + 1
        return start..<end
    }

    private func project(
        _ sequence: TokenSequence, _ range: Range<Int>, _ work: inout Workspace, keepingAt start: Int
    ) throws(NonFiniteProjection) {
        guard
            pass.project(
                sequence, range, into: &work.products, at: start, scratch: &work.tokens, &work.rules)
        else { throw NonFiniteProjection() }
    }

    private func advance(
        _ sequence: TokenSequence, _ range: Range<Int>, _ positions: Range<Int>, keptAt start: Int,
        _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        try pass.advance(
            &work.state, sequence, range, positions, work.products, from: start, tokens: &work.tokens,
            logits: &work.logits, &work.rules)
        // Before the first token to look at there is nothing to be finite.
        let first = range.lowerBound == 0 ? sequence.position(0) - positions.lowerBound : 0
        guard allFinite(work.logits[(first * pass.outputCount)...]) else { throw NonFiniteProjection() }
    }

    private func tell(
        _ sequence: TokenSequence, _ range: Range<Int>, _ positions: Range<Int>, keptAt start: Int,
        _ work: inout Workspace
    ) {
        pass.tell(
            work.state, sequence, range, positions, work.products, from: start, attention: &work.attention,
            contributions: &work.contributions, &work.rules)
    }
}
