/// The hidden states of many tokens, T×D, as they were stored: floats in memory, or f32, f16 or
/// bf16 in a mapped file. Rows are lent in place where they are floats already and widened into
/// scratch space where they are not; nothing is ever converted as a whole.
public struct TokenMatrix: Sendable {
    /// T, the number of tokens.
    public let rows: Int
    /// D, the width of a hidden state.
    public let columns: Int
    /// How an element is stored.
    public let elementType: ElementType

    private enum Storage: Sendable {
        case owned([Float])
        case mapped(MappedFile, offset: Int)
    }
    private let storage: Storage

    /// Hidden states in memory, token after token.
    ///
    /// - Precondition: `values.count` is a multiple of `columns`, and `columns > 0`.
    public init(_ values: [Float], columns: Int) {
        precondition(
            columns > 0 && values.count % columns == 0, "\(values.count) values in rows of \(columns)")
        rows = values.count / columns
        self.columns = columns
        elementType = .f32
        storage = .owned(values)
    }

    /// Hidden states in a mapped file, from byte `offset` on.
    ///
    /// - Precondition: the file holds them all.
    public init(file: MappedFile, offset: Int, elementType: ElementType, rows: Int, columns: Int) {
        precondition(offset >= 0 && columns > 0 && rows >= 0)
        precondition(offset + rows * columns * elementType.size <= file.count, "rows outside \(file.path)")
        self.rows = rows
        self.columns = columns
        self.elementType = elementType
        storage = .mapped(file, offset: offset)
    }

    /// Bytes of one row as it is stored.
    public var rowSize: Int { columns * elementType.size }

    /// The mapped file they are in; nil if they are in memory.
    public var file: MappedFile? {
        if case .mapped(let file, _) = storage { return file }
        return nil
    }

    /// Where rows are in the mapped file; nil if they are in memory.
    public func part(_ range: Range<Int>) -> ReadAhead.Part? {
        guard case .mapped(let file, let offset) = storage else { return nil }
        return ReadAhead.Part(file, offset + range.lowerBound * rowSize..<offset + range.upperBound * rowSize)
    }

    /// Lends rows as floats, rows×D: in place where possible, else widened into `scratch`.
    public func withRows<R, E: Error>(
        _ range: Range<Int>, scratch: inout [Float], _ body: (Span<Float>) throws(E) -> R
    ) throws(E) -> R {
        let elements = range.lowerBound * columns..<range.upperBound * columns
        switch storage {
        case .owned(let values):
            return try body(values.span.extracting(elements))
        case .mapped(let file, let offset):
            let bytes =
                offset + elements.lowerBound * elementType.size..<offset + elements.upperBound
                * elementType.size
            return try file.withBytes(bytes) { (bytes) throws(E) -> R in
                if elementType == .f32, offset % 4 == 0 { return try bytes.withFloats(body) }
                scratch.grow(to: elements.count)
                scratch.withPart(0..<elements.count) { widen(bytes, as: elementType, into: &$0) }
                return try body(scratch.span.extracting(first: elements.count))
            }
        }
    }

    /// Lends rows as they are stored in a file; nil if they are in memory or at an odd address.
    func withStoredRows<R>(_ range: Range<Int>, _ body: (RawSpan) -> R) -> R? {
        guard case .mapped(let file, let offset) = storage, offset % elementType.size == 0 else { return nil }
        return file.withBytes(offset + range.lowerBound * rowSize..<offset + range.upperBound * rowSize, body)
    }

    /// Copies one row, widened, into `row` (D floats).
    public func copyRow(_ index: Int, into row: inout MutableSpan<Float>) {
        switch storage {
        case .owned(let values):
            let source = values.span.extracting(index * columns..<(index + 1) * columns)
            for d in 0..<columns { row[d] = source[d] }
        case .mapped(let file, let offset):
            let from = offset + index * columns * elementType.size
            file.withBytes(from..<from + columns * elementType.size) {
                widen($0, as: elementType, into: &row)
            }
        }
    }
}
