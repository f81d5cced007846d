internal import CKernels

/// Rows of hidden states as they are stored, in place: row r begins at byte r·stride.
struct StoredRows: ~Escapable {
    private let bytes: RawSpan
    private let type: ElementType
    private let stride: Int

    /// - Precondition: the bytes hold the rows that are used.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, _ type: ElementType, stride: Int) {
        (self.bytes, self.type, self.stride) = (bytes, type, stride)
    }

    /// Floats, row after row.
    @_lifetime(copy rows)
    init(_ rows: Span<Float>, columns: Int) { unsafe self.init(rows.bytes, .f32, stride: columns * 4) }

    /// Lends them to a kernel.
    ///
    /// - Precondition: there are that many.
    func withStates<R>(_ rows: Int, columns: Int, _ body: (ck_states) -> R) -> R {
        precondition(
            rows == 0 || bytes.byteCount >= (rows - 1) * stride + columns * type.size,
            "\(bytes.byteCount) bytes for \(rows) rows \(stride) apart")
        return unsafe bytes.withUnsafeBytes {
            unsafe body(ck_states(numbers: $0.baseAddress, type: type.kernelType, stride: stride))
        }
    }

    /// Whether no number of these rows is NaN or infinite. Any alignment is read.
    ///
    /// - Precondition: there are that many.
    func areFinite(_ rows: Int, columns: Int) -> Bool {
        guard rows > 0, columns > 0 else { return true }
        var result = true
        unsafe withStates(rows, columns: columns) { unsafe ck_all_finite($0, rows, columns, &result) }
        return result
    }

    /// Widens rows to floats, `to` apart: exact for every f16 and bf16, NaN and infinity included. Any alignment is
    /// read.
    ///
    /// - Precondition: there are that many, and room for them.
    func widen(_ rows: Int, columns: Int, into floats: inout MutableSpan<Float>, stride to: Int) {
        guard rows > 0, columns > 0 else { return }
        precondition(floats.count >= (rows - 1) * to + columns, "\(floats.count) floats for \(rows) rows")
        unsafe withStates(rows, columns: columns) { states in
            unsafe floats.withUnsafeMutableBufferPointer {
                unsafe ck_widen(states, rows, columns, $0.baseAddress!, to)
            }
        }
    }
}

extension ElementType {
    fileprivate var kernelType: ck_type {
        switch self {
        case .f32: CK_F32
        case .f16: CK_F16
        case .bf16: CK_BF16
        }
    }
}
