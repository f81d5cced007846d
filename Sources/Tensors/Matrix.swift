/// An owned, dense, row-major matrix of floats.
///
/// `storage[r * columns + c]` is the element of row `r` and column `c`. Copies share storage until
/// one of them is written.
public struct Matrix: Sendable, Equatable {
    /// Number of rows.
    public let rows: Int
    /// Number of columns.
    public let columns: Int
    /// The elements, row after row.
    public private(set) var storage: [Float]

    /// A matrix of zeros, rows×columns.
    package init(rows: Int, columns: Int) {
        self.init(rows: rows, columns: columns, storage: Array(repeating: 0, count: rows * columns))
    }

    /// A matrix over elements given row after row.
    ///
    /// - Precondition: `storage.count == rows * columns`.
    public init(rows: Int, columns: Int, storage: [Float]) {
        precondition(
            storage.count == rows * columns,
            "a \(rows)×\(columns) matrix has \(rows * columns) elements, found \(storage.count)")
        self.rows = rows
        self.columns = columns
        self.storage = storage
    }

    /// Matrices of the same columns, one below the other; at least one.
    package init(joining parts: [Matrix]) {
        precondition(parts.allSatisfy { $0.columns == parts[0].columns }, "matrices of different columns")
        self.init(
            rows: parts.reduce(0) { $0 + $1.rows }, columns: parts[0].columns,
            storage: Array(parts.map(\.storage).joined()))
    }

    /// The elements for reading, row after row, without a copy. O(1).
    package var span: Span<Float> {
        @_lifetime(borrow self) get { storage.span }
    }

    /// The elements for writing, row after row. O(1), or a copy if the storage is shared.
    package var mutableSpan: MutableSpan<Float> {
        @_lifetime(&self) mutating get { storage.mutableSpan }
    }

    /// The element of one row and column. O(1).
    public subscript(row: Int, column: Int) -> Float {
        get { storage[row * columns + column] }
        set { storage[row * columns + column] = newValue }
    }

    /// The elements of one row, without a copy. O(1).
    public subscript(row row: Int) -> ArraySlice<Float> {
        storage[row * columns..<(row + 1) * columns]
    }

    /// A matrix of some of the columns. O(rows·range.count).
    package func columns(_ range: Range<Int>) -> Matrix {
        guard range != 0..<columns else { return self }
        let part = (0..<rows).flatMap {
            storage[$0 * columns + range.lowerBound..<$0 * columns + range.upperBound]
        }
        return Matrix(rows: rows, columns: range.count, storage: part)
    }
}
