/// The tokens of one sequence that a probe may look at: n of its L.
///
/// Products run over tiles of its tokens, always cut from its own start, so that their bits do not
/// depend on the batch around it or on threads.
public struct TokenSequence: Sendable {
    /// The matrix its tokens are rows of.
    package let tokens: TokenMatrix
    /// Its rows there, L of them.
    package let rows: Range<Int>
    /// Positions 0…L-1 of the unmasked tokens, rising; nil if all are unmasked.
    private let visible: [Int]?

    init(tokens: TokenMatrix, rows: Range<Int>, visible: [Int]?) {
        self.tokens = tokens
        self.rows = rows
        self.visible = visible
    }

    /// n, the number of unmasked tokens; at least one.
    public var count: Int { visible?.count ?? rows.count }

    /// D, the width of a hidden state.
    public var width: Int { tokens.columns }

    /// Whether the unmasked tokens lie side by side, none hidden between them.
    package var isUnbroken: Bool { lastPosition - position(0) == count - 1 }

    /// Position inside the sequence, 0…L-1, of the j-th unmasked token.
    public func position(_ j: Int) -> Int { visible.map { $0[j] } ?? j }

    /// Position of the last unmasked token.
    package var lastPosition: Int { position(count - 1) }

    /// Gives the first n elements of an array the positions of the unmasked tokens.
    package func copyPositions(into positions: inout [Float]) {
        positions.grow(to: count)
        positions.withPart(0..<count) { part in
            if let visible {
                for (j, position) in visible.enumerated() { part[j] = Float(position) }
            } else {
                for j in part.indices { part[j] = Float(j) }
            }
        }
    }

    /// The same sequence with only some of its unmasked tokens in sight; positions stay.
    ///
    /// - Precondition: `isKept` keeps at least one. It is asked once for every unmasked token.
    package func keeping(_ isKept: (Int) -> Bool) -> TokenSequence {
        let kept = (0..<count).filter(isKept).map(position)
        precondition(!kept.isEmpty, "no token is left")
        return TokenSequence(tokens: tokens, rows: rows, visible: kept)
    }

    /// The same positions in sight of other tokens, one for each of this sequence's.
    ///
    /// - Precondition: `tokens` has L rows.
    package func replacing(tokens: TokenMatrix) -> TokenSequence {
        precondition(tokens.rows == rows.count, "\(tokens.rows) tokens for \(rows.count)")
        return TokenSequence(tokens: tokens, rows: 0..<tokens.rows, visible: visible)
    }

    /// The same tokens with some columns of their states; see `TokenMatrix.columns`.
    package func columns(_ ranges: [Range<Int>]) -> TokenSequence {
        TokenSequence(tokens: tokens.columns(ranges), rows: rows, visible: visible)
    }

    /// Lends the unmasked tokens j of `range`, range.count×D: in place where they are floats that
    /// lie side by side, else gathered and widened into `scratch`.
    public func withTokens<R, E: Error>(
        _ range: Range<Int>, scratch: inout [Float], _ body: (Span<Float>) throws(E) -> R
    ) throws(E) -> R {
        if let rows = unbrokenRows(range) { return try tokens.withRows(rows, scratch: &scratch, body) }
        scratch.grow(to: range.count * width)
        for (slot, j) in range.enumerated() {
            scratch.withPart(slot * width..<(slot + 1) * width) {
                tokens.copyRow(rows.lowerBound + position(j), into: &$0)
            }
        }
        return try body(scratch.span.extracting(first: range.count * width))
    }

    // The rows of some unmasked tokens that lie side by side; nil if hidden ones lie between them.
    private func unbrokenRows(_ range: Range<Int>) -> Range<Int>? {
        let first = rows.lowerBound + position(range.lowerBound)
        let last = rows.lowerBound + position(range.upperBound - 1)
        return last - first == range.count - 1 ? first..<last + 1 : nil
    }

    /// Tokens in one tile: a tile of float hidden states fills 256 KB, well inside a core's second-level cache,
    /// and is a multiple of the kernels' blocks of 8, 6, 4 or 2 tokens; wide ones of those of 8. With many
    /// weight rows it has as many tokens as these, up to 24: what each tile meets, weights and sums, is the
    /// larger part then.
    static func tileSize(width: Int, rows: Int) -> Int {
        let most = 65536 / width
        return most < 24 ? max(8, most / 8 * 8, min(rows, 24) / 8 * 8) : min(192, most / 24 * 24)
    }

    /// Lends all unmasked tokens, tile after tile, from the start; the last tile takes what is left
    /// and has up to twice the size.
    ///
    /// - Parameter rows: how many weight rows or sums each tile meets.
    package func forEachTile<E: Error>(
        rows: Int = 1, scratch: inout [Float], _ body: (Range<Int>, Span<Float>) throws(E) -> Void
    ) throws(E) {
        try forEachTile(rows: rows) { (range) throws(E) in
            try withTokens(range, scratch: &scratch) { (tile) throws(E) in try body(range, tile) }
        }
    }

    /// The same for a product with so many weight rows, tokens as they are stored where that is possible.
    func forEachStoredTile(rows: Int, scratch: inout [Float], _ body: (Range<Int>, StoredRows) -> Void) {
        forEachTile(rows: rows) { range in
            withStoredTokens(range, rows: rows, scratch: &scratch) { body(range, $0) }
        }
    }

    /// The same for some unmasked tokens.
    func withStoredTokens(
        _ range: Range<Int>, rows: Int, scratch: inout [Float], _ body: (StoredRows) -> Void
    ) {
        // What meets tokens in more passes than a few gains by having them widened and side by side.
        if rows <= 64, let place = unbrokenRows(range) {
            tokens.withStoredRows(place, scratch: &scratch, body)
        } else {
            withTokens(range, scratch: &scratch) { body(StoredRows($0, columns: width)) }
        }
    }

    /// Whether all unmasked tokens are one tile.
    package func isOneTile(rows: Int) -> Bool { count < 2 * Self.tileSize(width: width, rows: rows) }

    /// The tiles' ranges of unmasked tokens.
    package func forEachTile<E: Error>(rows: Int, _ body: (Range<Int>) throws(E) -> Void) throws(E) {
        let size = Self.tileSize(width: width, rows: rows)
        var start = 0
        while start < count {
            let end = count - start < 2 * size ? count : start + size
            try body(start..<end)
            start = end
        }
    }
}
