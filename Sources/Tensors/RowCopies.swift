private import Storage

// Rows of a `TokenMatrix` as they are stored: their bytes and scales.
extension TokenMatrix {
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
            if held != nil {
                // Floats are little-endian wherever this is built.
                var scratch: [Float] = []
                withRows(range, scratch: &scratch) { rows in
                    unsafe rows.withUnsafeBufferPointer { unsafe put(UnsafeRawBufferPointer($0), 0) }
                }
            }
            forEachBlock(range) { first, pieces, rows in
                var column = first * rowSize
                for piece in pieces {
                    let size = piece.columns * elementType.size
                    piece.file.withBytes(piece.bytes(rows, elementType.size)) { bytes in
                        if pieces.count == 1, piece.stride == rowSize {
                            unsafe bytes.withUnsafeBytes { unsafe put($0, column) }
                            return
                        }
                        for row in 0..<rows.count {
                            let part = bytes.extracting(row * piece.stride..<row * piece.stride + size)
                            unsafe part.withUnsafeBytes { unsafe put($0, row * rowSize + column) }
                        }
                    }
                    column += size
                }
            }
        }
    }

    /// Whether rows keep the bits that they are stored with where they are copied as `type`, one scale a row. Rows that are
    /// put together from pieces of eight bits with different scales do not.
    package func keepsBits(as type: ElementType) -> Bool { elementType == type && hasOneScale }

    /// The type that loses nothing of rows side by side: as they are stored where they keep their bits, else floats.
    package var storedType: ElementType { keepsBits(as: elementType) ? elementType : .f32 }

    /// The scales of rows as they are stored, 1 where none is stated; none of types without scales. Where rows are put
    /// together from pieces with different ones, those of one piece after the other.
    package func scales(_ range: Range<Int>) -> [Float] {
        guard elementType.mayHaveScales else { return [] }
        var scales: [Float] = []
        forEachBlock(range) { _, pieces, rows in
            for piece in hasOneScale ? pieces[..<1] : pieces[...] {
                scales += piece.scales?[rows] ?? Array(repeating: 1, count: rows.count)[...]
            }
        }
        return scales
    }
}
