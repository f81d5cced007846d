package import Storage

// Where rows of a `TokenMatrix` are in files.
extension TokenMatrix {
    /// The same columns of every row: those that start at byte `offset` of a file and again every
    /// `stride` bytes.
    package struct Piece: Sendable {
        let file: ByteSource
        let offset: Int
        let stride: Int
        let columns: Int
        /// What numbers of eight bits are multiplied with, one for each row; nil for 1.
        let scales: [Float]?

        /// - Precondition: `offset` and `stride` are not negative, and there is a column.
        package init(
            _ file: ByteSource, offset: Int, stride: Int, columns: Int, scales: [Float]? = nil
        ) {
            precondition(offset >= 0 && stride >= 0 && columns > 0)
            self.scales = scales
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

    /// Rows of a matrix that lie together: its pieces say where the first of them is, side by side.
    struct Block: Sendable {
        /// Which rows of the matrix.
        private(set) var rows: Range<Int>
        let pieces: [Piece]

        /// - Precondition: the files hold the rows, whose elements have `size` bytes.
        init(_ rows: Range<Int>, _ pieces: [Piece], _ size: Int) {
            for piece in pieces {
                let end = piece.bytes(0..<rows.count, size).upperBound
                precondition(end <= piece.file.count, "rows outside \(piece.file.path)")
                precondition(piece.scales.map { $0.count == rows.count } ?? true, "a scale for each row")
            }
            // Layers that follow each other in a file are one piece.
            let joined = pieces.reduce(into: [Piece]()) { joined, next in
                if let last = joined.last, last.file === next.file, last.stride == next.stride,
                    last.offset + last.columns * size == next.offset, last.scales == next.scales
                {
                    joined[joined.count - 1] = Piece(
                        last.file, offset: last.offset, stride: last.stride,
                        columns: last.columns + next.columns, scales: last.scales)
                } else {
                    joined.append(next)
                }
            }
            self.init(rows, joined)
        }

        /// The rows of a block that was checked, at another place of a matrix.
        init(_ rows: Range<Int>, _ pieces: [Piece]) { (self.rows, self.pieces) = (rows, pieces) }

        /// Whether all pieces have the same scales. O(pieces) where they share them, O(rows) where they have their own.
        var hasOneScale: Bool { pieces.allSatisfy { $0.scales == pieces[0].scales } }

        /// Which of the block's own rows some rows of the matrix are.
        func own(_ range: Range<Int>) -> Range<Int> {
            range.lowerBound - rows.lowerBound..<range.upperBound - rows.lowerBound
        }

        /// Takes the rows of another block at the end, where they go on in the same files and have no scales; false where
        /// they do not.
        mutating func append(_ next: Block) -> Bool {
            guard pieces.count == next.pieces.count,
                zip(pieces, next.pieces).allSatisfy({ own, other in
                    own.file === other.file && own.stride == other.stride && own.columns == other.columns
                        && own.offset + rows.count * own.stride == other.offset
                        && own.scales == nil && other.scales == nil
                })
            else { return false }
            rows = rows.lowerBound..<rows.upperBound + next.rows.count
            return true
        }
    }
}
