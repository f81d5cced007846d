/// Sequences of different lengths, end to end and never padded: a T×D matrix of tokens and the
/// N+1 offsets where sequences start and end.
///
/// Sequence i is the rows `rows(i)`: `offsets[i]..<offsets[i+1]`, unless the batch was made of row
/// ranges with others between them that belong to none.
public struct RaggedBatch: Sendable {
    /// The hidden states of all tokens, T×D.
    package let tokens: TokenMatrix
    /// N+1 token counts: starts at 0, rises, ends at T.
    package let offsets: [Int]
    // Where sequences start among the rows; nil if they lie end to end.
    private let starts: [Int]?
    /// For every token, whether a probe may look at it; nil if it may look at all.
    package let tokenMask: [Bool]?

    /// Why tokens and offsets make no batch.
    public enum Fault: Error, Equatable {
        /// `offsets` is empty or does not start at 0.
        case firstOffset(found: Int?)
        /// `offsets[index]` is less than the one before it.
        case fallingOffset(index: Int, found: Int, before: Int)
        /// The last of the offsets is not the number of tokens.
        case lastOffset(found: Int, tokens: Int)
        /// A sequence has no token.
        case emptySequence(index: Int)
        /// The mask leaves no token of a sequence.
        case maskedSequence(index: Int)
        /// The mask has another length than the tokens.
        case maskLength(found: Int, tokens: Int)
        /// The rows of a sequence are not all rows of the matrix.
        case outsideMatrix(index: Int, found: Range<Int>, tokens: Int)
        /// The values of a sequence are no whole number of tokens.
        case brokenToken(index: Int, found: Int, width: Int)
    }

    /// A batch of existing parts. O(N + T).
    ///
    /// - Parameter allowsEmpty: whether sequences may be without a token to look at; nothing is computed of these.
    /// - Throws: `Fault`, the first rule that is broken.
    package init(
        tokens: TokenMatrix, offsets: [Int], tokenMask: [Bool]? = nil, allowsEmpty: Bool = false
    ) throws(Fault) {
        guard offsets.first == 0 else { throw .firstOffset(found: offsets.first) }
        for i in 1..<offsets.count where offsets[i] < offsets[i - 1] {
            throw .fallingOffset(index: i, found: offsets[i], before: offsets[i - 1])
        }
        guard offsets[offsets.count - 1] == tokens.rows else {
            throw .lastOffset(found: offsets[offsets.count - 1], tokens: tokens.rows)
        }
        if let tokenMask, tokenMask.count != tokens.rows {
            throw .maskLength(found: tokenMask.count, tokens: tokens.rows)
        }
        for i in 1..<offsets.count where !allowsEmpty {
            guard offsets[i] > offsets[i - 1] else { throw .emptySequence(index: i - 1) }
            if let tokenMask, !tokenMask[offsets[i - 1]..<offsets[i]].contains(true) {
                throw .maskedSequence(index: i - 1)
            }
        }
        self.tokens = tokens
        self.offsets = offsets
        starts = nil
        self.tokenMask = tokenMask
    }

    /// A batch of sequences that lie anywhere among the rows of a matrix, as in padded batches. O(N).
    ///
    /// - Parameter allowsEmpty: whether sequences may be without a token to look at; nothing is computed of these.
    /// - Throws: `Fault.outsideMatrix`, `.emptySequence`, `.maskLength`, `.maskedSequence`.
    package init(
        tokens: TokenMatrix, rows: [Range<Int>], tokenMask: [Bool]? = nil, allowsEmpty: Bool = false
    ) throws(Fault) {
        var offsets = [0]
        offsets.reserveCapacity(rows.count + 1)
        if let tokenMask, tokenMask.count != tokens.rows {
            throw .maskLength(found: tokenMask.count, tokens: tokens.rows)
        }
        for (index, range) in rows.enumerated() {
            guard range.lowerBound >= 0, range.upperBound <= tokens.rows else {
                throw .outsideMatrix(index: index, found: range, tokens: tokens.rows)
            }
            if !allowsEmpty {
                guard !range.isEmpty else { throw .emptySequence(index: index) }
                if let tokenMask, !tokenMask[range].contains(true) { throw .maskedSequence(index: index) }
            }
            offsets.append(offsets[index] + range.count)
        }
        self.tokens = tokens
        self.offsets = offsets
        starts = rows.map(\.lowerBound)
        self.tokenMask = tokenMask
    }

    // The same sequences of another matrix, row for row, or with other tokens in sight.
    private init(_ other: RaggedBatch, tokens: TokenMatrix, tokenMask: [Bool]?) {
        precondition(tokens.rows == other.tokens.rows, "a matrix of other rows")
        precondition(tokenMask.map { $0.count == tokens.rows } ?? true, "a mask of other rows")
        (self.tokens, self.tokenMask) = (tokens, tokenMask)
        (offsets, starts) = (other.offsets, other.starts)
    }

    /// The same sequences with other hidden states.
    ///
    /// - Precondition: as many rows.
    package func replacing(tokens: TokenMatrix) -> RaggedBatch {
        RaggedBatch(self, tokens: tokens, tokenMask: tokenMask)
    }

    /// The same sequences with other tokens in sight; of nothing is computed where none are.
    ///
    /// - Precondition: an element a row of the matrix.
    package func replacing(tokenMask: [Bool]) -> RaggedBatch {
        RaggedBatch(self, tokens: tokens, tokenMask: tokenMask)
    }

    /// The rows of one sequence. O(1).
    package func rows(_ index: Int) -> Range<Int> {
        let start = starts?[index] ?? offsets[index]
        return start..<start + offsets[index + 1] - offsets[index]
    }

    /// A batch of sequences in memory, each L×D floats, token after token.
    ///
    /// - Precondition: the width is at least 1.
    /// - Throws: `Fault.brokenToken`, `.emptySequence`.
    public init(_ sequences: [[Float]], width: Int) throws(Fault) {
        var offsets = [0]
        precondition(width > 0, "states of no numbers")
        for (index, sequence) in sequences.enumerated() {
            guard sequence.count % width == 0 else {
                throw .brokenToken(index: index, found: sequence.count, width: width)
            }
            offsets.append(offsets[offsets.count - 1] + sequence.count / width)
        }
        let tokens = TokenMatrix(Array(sequences.joined()), columns: width)
        try self.init(tokens: tokens, offsets: offsets)
    }

    /// N, the number of sequences.
    public var count: Int { offsets.count - 1 }

    /// D, the width of a hidden state.
    public var width: Int { tokens.columns }

    /// One sequence, without a copy of its tokens. O(1), or O(L) where there is a mask.
    public subscript(index: Int) -> TokenSequence {
        let rows = rows(index)
        guard let tokenMask else { return TokenSequence(tokens: tokens, rows: rows, visible: nil) }
        let visible = rows.filter { tokenMask[$0] }.map { $0 - rows.lowerBound }
        return TokenSequence(tokens: tokens, rows: rows, visible: visible.count == rows.count ? nil : visible)
    }
}
