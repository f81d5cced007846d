package import Storage

/// The hidden states of many tokens, T×D, as they were stored: floats in memory, or f32, f16 or
/// bf16 in files. Products read rows in place however they are stored; to others they are lent in place where
/// they are floats that lie side by side, else put together and widened in scratch space. Nothing is ever converted
/// as a whole.
public struct TokenMatrix: Sendable {
    /// T, the number of tokens.
    public let rows: Int
    /// D, the width of a hidden state.
    public let columns: Int
    /// How an element is stored.
    package let elementType: ElementType

    /// The same columns of every row: those that start at byte `offset` of a file and again every
    /// `stride` bytes.
    package struct Piece: Sendable {
        let file: ByteSource
        let offset: Int
        let stride: Int
        let columns: Int

        /// - Precondition: `offset` and `stride` are not negative, and there is a column.
        package init(_ file: ByteSource, offset: Int, stride: Int, columns: Int) {
            precondition(offset >= 0 && stride >= 0 && columns > 0)
            self.file = file
            self.offset = offset
            self.stride = stride
            self.columns = columns
        }

        // Bytes from the first of these rows to the last, with what lies between.
        func bytes(_ rows: Range<Int>, _ size: Int) -> Range<Int> {
            let start = offset + rows.lowerBound * stride
            return start..<(rows.isEmpty ? start : start + (rows.count - 1) * stride + columns * size)
        }
    }

    private enum Storage: Sendable {
        case owned([Float])
        case pieces([Piece])
    }
    private let storage: Storage
    // Where rows are put together from several small files.
    private let claim: KeptBytes.Claim?
    /// Whether rows lie in mapped files, so that reading ahead gains something.
    package let isMapped: Bool

    /// Hidden states in memory, token after token.
    ///
    /// - Precondition: `values.count` is a multiple of `columns`, and `columns > 0`.
    public init(_ values: [Float], columns: Int) {
        precondition(
            columns > 0 && values.count % columns == 0, "\(values.count) values in rows of \(columns)")
        rows = values.count / columns
        self.columns = columns
        elementType = .f32
        (storage, isMapped, claim) = (.owned(values), false, nil)
    }

    /// Hidden states in a file, from byte `offset` on.
    ///
    /// - Precondition: the file holds them all.
    package init(file: ByteSource, offset: Int, elementType: ElementType, rows: Int, columns: Int) {
        let piece = Piece(file, offset: offset, stride: columns * elementType.size, columns: columns)
        self.init(pieces: [piece], elementType: elementType, rows: rows)
    }

    /// Hidden states in the caller's memory, in place.
    ///
    /// - Parameters:
    ///   - stride: bytes from the start of one row to that of the next.
    ///   - name: what errors call the memory.
    /// - Precondition: the rows lie in the bytes, and these stay as they are while the matrix lives.
    @unsafe package init(
        lending bytes: UnsafeRawBufferPointer, elementType: ElementType, rows: Int, columns: Int, stride: Int,
        name: String
    ) {
        let file = unsafe ByteSource(lending: bytes, name: name)
        let piece = unsafe Piece(file, offset: ByteSource.lead(bytes), stride: stride, columns: columns)
        self.init(pieces: [piece], elementType: elementType, rows: rows)
    }

    /// Hidden states whose rows are put together from pieces, one beside the other: one layer of
    /// several in a file, or several files.
    ///
    /// - Precondition: there is a piece, and the files hold them all.
    package init(pieces: [Piece], elementType: ElementType, rows: Int) {
        precondition(!pieces.isEmpty && rows >= 0)
        self.rows = rows
        columns = pieces.reduce(0) { $0 + $1.columns }
        self.elementType = elementType
        for piece in pieces {
            let end = piece.bytes(0..<rows, elementType.size).upperBound
            precondition(end <= piece.file.count, "rows outside \(piece.file.path)")
        }
        // Layers that follow each other in a file are one piece.
        let pieces = pieces.reduce(into: [Piece]()) { joined, next in
            if let last = joined.last, last.file === next.file, last.stride == next.stride,
                last.offset + last.columns * elementType.size == next.offset
            {
                joined[joined.count - 1] = Piece(
                    last.file, offset: last.offset, stride: last.stride, columns: last.columns + next.columns)
            } else {
                joined.append(next)
            }
        }
        (storage, isMapped) = (.pieces(pieces), pieces.contains { $0.file.isMapped })
        let read = Set(pieces.lazy.map(\.file).filter { !$0.isMapped }.map { ObjectIdentifier($0) })
        claim = read.count > 1 ? KeptBytes.Claim(atLeast: read.count) : nil
    }

    /// Several matrices with the same rows, side by side; nil where they differ in rows or in how an
    /// element is stored, or one is not in a file.
    package init?(beside matrices: [TokenMatrix]) {
        guard let first = matrices.first,
            matrices.allSatisfy({ $0.rows == first.rows && $0.elementType == first.elementType })
        else { return nil }
        let pieces = matrices.flatMap(\.pieces)
        guard pieces.reduce(0, { $0 + $1.columns }) == matrices.reduce(0, { $0 + $1.columns }) else {
            return nil
        }
        self.init(pieces: pieces, elementType: first.elementType, rows: first.rows)
    }

    private var pieces: [Piece] {
        switch storage {
        case .owned: []
        case .pieces(let pieces): pieces
        }
    }

    // The piece that is all there is.
    private var onlyPiece: Piece? {
        guard case .pieces(let pieces) = storage, pieces.count == 1 else { return nil }
        return pieces[0]
    }

    // The same, if its rows lie side by side.
    private var wholePiece: Piece? { onlyPiece.flatMap { $0.stride == rowSize ? $0 : nil } }

    /// Bytes of one row as it is stored.
    package var rowSize: Int { columns * elementType.size }

    /// The files they are in; none if they are in memory.
    package var files: [ByteSource] { pieces.map(\.file) }

    /// Whether a file that rows lie in fulfils a condition.
    private func hasFile(_ condition: (ByteSource) -> Bool) -> Bool { pieces.contains { condition($0.file) } }

    /// Whether another process holds a lock on a file that rows lie in.
    package var isLocked: Bool { hasFile(\.isLocked) }

    /// Whether rows lie in a certain file.
    package func reads(_ file: FileIdentity) -> Bool { hasFile { $0.isFile(file) } }

    /// Hands over where rows are in files; nothing if they are in memory.
    package func forEachPart(_ range: Range<Int>, _ body: (ReadAhead.Part) -> Void) {
        for piece in pieces { body(ReadAhead.Part(piece.file, piece.bytes(range, elementType.size))) }
    }

    /// Bytes of what `forEachPart` hands over, or of the rows in memory.
    package func byteCount(_ range: Range<Int>) -> Int {
        guard case .pieces(let pieces) = storage else { return range.count * rowSize }
        return pieces.reduce(0) { $0 + $1.bytes(range, elementType.size).count }
    }

    /// Lends rows as floats, rows×D: in place where possible, else widened into `scratch`.
    package func withRows<R, E: Error>(
        _ range: Range<Int>, scratch: inout [Float], _ body: (Span<Float>) throws(E) -> R
    ) throws(E) -> R {
        if case .owned(let values) = storage {
            return try body(
                values.span.extracting(range.lowerBound * columns..<range.upperBound * columns))
        }
        if elementType == .f32, let piece = wholePiece, piece.offset % 4 == 0 {
            return try piece.file.withBytes(piece.bytes(range, 4)) { (bytes) throws(E) -> R in
                try bytes.withFloats(body)
            }
        }
        let count = range.count * columns
        scratch.grow(to: count)
        gather(range, into: &scratch)
        return try body(scratch.span.extracting(first: count))
    }

    // Rows put together and widened, from the start of `scratch`.
    private func gather(_ range: Range<Int>, into scratch: inout [Float]) {
        guard !range.isEmpty else { return }
        var column = 0
        for piece in pieces {
            piece.file.withBytes(piece.bytes(range, elementType.size)) { bytes in
                let rows = StoredRows(bytes, elementType, stride: piece.stride)
                scratch.withPart(column..<range.count * columns) {
                    rows.widen(range.count, columns: piece.columns, into: &$0, stride: columns)
                }
            }
            column += piece.columns
        }
    }

    /// Where rows lie side by side in one file; nil if they do not.
    package func storedBytes(_ range: Range<Int>) -> (file: ByteSource, bytes: Range<Int>)? {
        wholePiece.map { ($0.file, $0.bytes(range, elementType.size)) }
    }

    /// Copies rows with the bits they are stored with into bytes that are there, from one on.
    ///
    /// - Precondition: there is room for them.
    package func copyRows(_ range: Range<Int>, into bytes: inout [UInt8], at start: Int) {
        precondition(start >= 0 && start + range.count * rowSize <= bytes.count, "bytes outside the buffer")
        unsafe bytes.withUnsafeMutableBytes { target in
            func put(_ source: UnsafeRawBufferPointer, _ place: Int) {
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[(start + place)...])
                    .copyMemory(from: source)
            }
            switch storage {
            case .owned(let values):
                // Floats are little-endian wherever this is built.
                unsafe values[range.lowerBound * columns..<range.upperBound * columns]
                    .withUnsafeBytes { unsafe put($0, 0) }
            case .pieces(let pieces):
                var column = 0
                for piece in pieces {
                    let size = piece.columns * elementType.size
                    piece.file.withBytes(piece.bytes(range, elementType.size)) { bytes in
                        if pieces.count == 1, piece.stride == rowSize {
                            unsafe bytes.withUnsafeBytes { unsafe put($0, 0) }
                            return
                        }
                        for row in 0..<range.count {
                            let part = bytes.extracting(row * piece.stride..<row * piece.stride + size)
                            unsafe part.withUnsafeBytes { unsafe put($0, row * rowSize + column) }
                        }
                    }
                    column += size
                }
            }
        }
    }

    /// Lends rows for a product: as they are stored where they are in one file, else put together in `scratch`.
    func withStoredRows<R>(_ range: Range<Int>, scratch: inout [Float], _ body: (StoredRows) -> R) -> R {
        if let piece = onlyPiece, (piece.offset | piece.stride) % elementType.size == 0 {
            return piece.file.withBytes(piece.bytes(range, elementType.size)) {
                body(StoredRows($0, elementType, stride: piece.stride))
            }
        }
        return withRows(range, scratch: &scratch) { body(StoredRows($0, columns: columns)) }
    }

    /// Copies one row, widened, into `row` (D floats).
    package func copyRow(_ index: Int, into row: inout MutableSpan<Float>) {
        let range = index..<index + 1
        if let piece = onlyPiece {
            piece.file.withBytes(piece.bytes(range, elementType.size)) {
                widen($0, as: elementType, into: &row)
            }
            return
        }
        var scratch: [Float] = []
        withRows(range, scratch: &scratch) { for d in 0..<columns { row[d] = $0[d] } }
    }
}
