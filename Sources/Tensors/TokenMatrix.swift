package import Storage

/// The hidden states of many tokens, T×D, as they were stored: floats in memory, or f32, f16, bf16
/// or FP8 in files. Products read rows in place however they are stored; to others they are lent in place where
/// they are floats that lie side by side, else put together and widened in scratch space. Nothing is ever converted
/// as a whole.
package struct TokenMatrix: Sendable {
    /// T, the number of tokens.
    package let rows: Int
    /// D, the width of a hidden state.
    package let columns: Int
    /// How an element is stored.
    package let elementType: ElementType

    /// All rows in memory; nil where they are in files.
    let held: Held?
    /// Rows in files, one block below the other; none in memory.
    let blocks: [Block]
    /// The files they are in, each once; none if they are in memory.
    package let files: [ByteSource]
    // Where rows are put together from several small files.
    private let claim: KeptBytes.Claim?
    /// Whether rows lie in mapped files, so that reading ahead gains something.
    package let isMapped: Bool
    /// Whether no row has numbers with different scales, as pieces of eight bits side by side may have.
    let hasOneScale: Bool

    /// Hidden states in memory, token after token.
    ///
    /// - Precondition: `values.count` is a multiple of `columns`, and `columns > 0`.
    package init(_ values: [Float], columns: Int) {
        precondition(
            columns > 0 && values.count % columns == 0, "\(values.count) values in rows of \(columns)")
        rows = values.count / columns
        self.columns = columns
        elementType = .f32
        held = Held(values: values, stride: columns, columns: [0..<columns])
        (blocks, files, isMapped, claim, hasOneScale) = ([], [], false, nil, true)
    }

    /// Some columns of another matrix.
    init(_ whole: TokenMatrix, columns: Int, _ held: Held?, _ blocks: [Block]) {
        (rows, elementType, self.columns) = (whole.rows, whole.elementType, columns)
        (self.held, self.blocks) = (held, blocks)
        (files, isMapped, claim) = (whole.files, whole.isMapped, whole.claim)
        hasOneScale = blocks.allSatisfy(\.hasOneScale)
    }

    /// Hidden states in a file, from byte `offset` on.
    ///
    /// - Parameter scales: what numbers of eight bits are multiplied with, one for each row; nil for 1.
    /// - Precondition: the file holds them all.
    package init(
        file: ByteSource, offset: Int, elementType: ElementType, rows: Int, columns: Int,
        scales: [Float]? = nil
    ) {
        let piece = Piece(
            file, offset: offset, stride: columns * elementType.size, columns: columns, scales: scales)
        self.init(pieces: [piece], elementType: elementType, rows: rows)
    }

    /// Hidden states in the caller's memory, in place.
    ///
    /// - Parameters:
    ///   - stride: bytes from the start of one row to that of the next.
    ///   - scales: what numbers of eight bits are multiplied with, one for each row; nil for 1.
    ///   - name: what errors call the memory.
    /// - Precondition: the rows lie in the bytes, and these stay as they are while the matrix lives.
    @unsafe package init(
        lending bytes: UnsafeRawBufferPointer, elementType: ElementType, rows: Int, columns: Int, stride: Int,
        scales: [Float]? = nil, name: String
    ) {
        let file = unsafe ByteSource(lending: bytes, name: name)
        let piece = unsafe Piece(
            file, offset: ByteSource.lead(bytes), stride: stride, columns: columns, scales: scales)
        self.init(pieces: [piece], elementType: elementType, rows: rows)
    }

    /// Hidden states whose rows are put together from pieces, one beside the other: one layer of
    /// several in a file, or several files.
    ///
    /// - Precondition: there is a piece, and the files hold them all.
    package init(pieces: [Piece], elementType: ElementType, rows: Int) {
        precondition(!pieces.isEmpty && rows >= 0)
        self.init([Block(0..<rows, pieces, elementType.size)], elementType: elementType)
    }

    // Rows in blocks that follow each other and have the same columns.
    private init(_ blocks: [Block], elementType: ElementType) {
        rows = blocks[blocks.count - 1].rows.upperBound
        columns = blocks[0].pieces.reduce(0) { $0 + $1.columns }
        self.elementType = elementType
        held = nil
        self.blocks = blocks
        var known: Set<ObjectIdentifier> = []
        files = blocks.flatMap(\.pieces).map(\.file).filter { known.insert(ObjectIdentifier($0)).inserted }
        isMapped = files.contains { $0.isMapped }
        hasOneScale = blocks.allSatisfy(\.hasOneScale)
        let read = Set(blocks[0].pieces.lazy.map(\.file).filter { !$0.isMapped }.map { ObjectIdentifier($0) })
        claim = read.count > 1 ? KeptBytes.Claim(atLeast: read.count) : nil
    }

    /// Several matrices in files, one below the other; those that follow each other in a file become one block.
    ///
    /// - Precondition: there is one, none is in memory, and all have the same columns and type.
    package init(stacking matrices: [TokenMatrix]) {
        let first = matrices[0]
        var blocks: [Block] = []
        for matrix in matrices {
            precondition(
                matrix.held == nil && matrix.columns == first.columns
                    && matrix.elementType == first.elementType)
            for block in matrix.blocks where !block.rows.isEmpty || blocks.isEmpty {
                if blocks.isEmpty || !blocks[blocks.count - 1].append(block) {
                    let start = blocks.last?.rows.upperBound ?? 0
                    blocks.append(Block(start..<start + block.rows.count, block.pieces))
                }
            }
        }
        self.init(blocks, elementType: first.elementType)
    }

    /// Several matrices with the same rows, side by side; nil where they differ in rows, in the blocks of rows that lie
    /// together or in how an element is stored, or one is not in a file.
    package init?(beside matrices: [TokenMatrix]) {
        guard let first = matrices.first, !first.blocks.isEmpty,
            matrices.allSatisfy({
                $0.blocks.map(\.rows) == first.blocks.map(\.rows) && $0.elementType == first.elementType
            })
        else { return nil }
        self.init(
            first.blocks.indices.map { k in
                Block(
                    first.blocks[k].rows, matrices.flatMap { $0.blocks[k].pieces }, first.elementType.size)
            }, elementType: first.elementType)
    }

    // The block that has all of some rows, and which of its own they are; nil where none has, and in memory.
    private func block(of range: Range<Int>) -> (pieces: [Piece], rows: Range<Int>)? {
        guard blocks.count != 1 else { return (blocks[0].pieces, range) }
        guard !blocks.isEmpty else { return nil }
        let block = blocks[firstBlock(of: range)]
        guard range.upperBound <= block.rows.upperBound else { return nil }
        return (block.pieces, block.own(range))
    }

    // The number of the block that a range starts in.
    private func firstBlock(of range: Range<Int>) -> Int {
        var (low, high) = (0, blocks.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if range.lowerBound < blocks[middle].rows.upperBound { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // Hands over the parts of some rows block by block: where each starts among them, and which of the block's own rows
    // it is.
    func forEachBlock(_ range: Range<Int>, _ body: (Int, [Piece], Range<Int>) -> Void) {
        guard !blocks.isEmpty, !range.isEmpty else { return }
        for block in blocks[firstBlock(of: range)...] {
            let part = block.rows.clamped(to: range)
            guard !part.isEmpty else { return }
            body(part.lowerBound - range.lowerBound, block.pieces, block.own(part))
        }
    }

    // The only piece of the block that has all of some rows.
    private func onlyPiece(of range: Range<Int>) -> (piece: Piece, rows: Range<Int>)? {
        guard let (pieces, rows) = block(of: range), pieces.count == 1 else { return nil }
        return (pieces[0], rows)
    }

    // The same, if its rows lie side by side.
    private func wholePiece(of range: Range<Int>) -> (piece: Piece, rows: Range<Int>)? {
        onlyPiece(of: range).flatMap { $0.piece.stride == rowSize ? $0 : nil }
    }

    /// Bytes of one row as it is stored.
    package var rowSize: Int { columns * elementType.size }

    /// Whether another process holds a lock on a file that rows lie in.
    package var isLocked: Bool { files.contains(where: \.isLocked) }

    /// Whether rows lie in a certain file.
    package func reads(_ file: FileIdentity) -> Bool { files.contains { $0.isFile(file) } }

    /// Hands over where rows are in files; nothing if they are in memory.
    package func forEachPart(_ range: Range<Int>, _ body: (ReadAhead.Part) -> Void) {
        forEachBlock(range) { _, pieces, rows in
            for piece in pieces { body(ReadAhead.Part(piece.file, piece.bytes(rows, elementType.size))) }
        }
    }

    /// Bytes of what `forEachPart` hands over, or of the rows in memory.
    package func byteCount(_ range: Range<Int>) -> Int {
        guard held == nil else { return range.count * rowSize }
        var count = 0
        forEachBlock(range) { _, pieces, rows in
            count += pieces.reduce(0) { $0 + $1.bytes(rows, elementType.size).count }
        }
        return count
    }

    /// Lends rows as floats, rows×D: in place where possible, else widened into `scratch`.
    package func withRows<R, E: Error>(
        _ range: Range<Int>, scratch: inout [Float], _ body: (Span<Float>) throws(E) -> R
    ) throws(E) -> R {
        if let held, let place = held.whole(range) { return try body(held.values.span.extracting(place)) }
        if elementType == .f32, let (piece, rows) = wholePiece(of: range), piece.offset % 4 == 0 {
            return try piece.file.withBytes(piece.bytes(rows, 4)) { (bytes) throws(E) -> R in
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
        if let held {
            var next = 0
            for row in range {
                for column in held.columns.joined() {
                    scratch[next] = held.values[row * held.stride + column]
                    next += 1
                }
            }
        }
        forEachBlock(range) { start, pieces, own in
            var column = start * columns
            for piece in pieces {
                withRows(of: piece, own) { rows in
                    scratch.withPart(column..<range.count * columns) {
                        rows.widen(own.count, columns: piece.columns, into: &$0, stride: columns)
                    }
                }
                column += piece.columns
            }
        }
    }

    /// Where rows lie side by side in one file; nil if they do not.
    package func storedBytes(_ range: Range<Int>) -> (file: ByteSource, bytes: Range<Int>)? {
        wholePiece(of: range).map { ($0.piece.file, $0.piece.bytes($0.rows, elementType.size)) }
    }

    // Lends some of a piece's own rows as they are stored.
    private func withRows<R>(of piece: Piece, _ rows: Range<Int>, _ body: (StoredRows) -> R) -> R {
        piece.file.withBytes(piece.bytes(rows, elementType.size)) {
            body(StoredRows($0, elementType, stride: piece.stride, scales: piece.scales?[rows]))
        }
    }

    /// Lends rows for a product: as they are stored where they are in one file, else put together in `scratch`.
    func withStoredRows<R>(_ range: Range<Int>, scratch: inout [Float], _ body: (StoredRows) -> R) -> R {
        if let (piece, rows) = onlyPiece(of: range), (piece.offset | piece.stride) % elementType.size == 0 {
            return withRows(of: piece, rows, body)
        }
        return withRows(range, scratch: &scratch) { body(StoredRows($0, columns: columns)) }
    }

    /// Copies one row, widened, into `row` (D floats).
    package func copyRow(_ index: Int, into row: inout MutableSpan<Float>) {
        let range = index..<index + 1
        if let (piece, rows) = onlyPiece(of: range) {
            withRows(of: piece, rows) { $0.widen(1, columns: columns, into: &row, stride: columns) }
            return
        }
        var scratch: [Float] = []
        withRows(range, scratch: &scratch) { for d in 0..<columns { row[d] = $0[d] } }
    }
}
