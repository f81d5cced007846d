internal import CKernels

/// Rows of hidden states as they are stored, in place: row r begins at byte r·stride.
struct StoredRows: ~Escapable {
    private let bytes: RawSpan
    private let type: ElementType
    private let stride: Int
    private let scales: ArraySlice<Float>?

    /// - Parameter scales: what numbers of eight bits are multiplied with, one for each row; nil for 1.
    /// - Precondition: the bytes hold the rows that are used, and there are as many scales.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, _ type: ElementType, stride: Int, scales: ArraySlice<Float>? = nil) {
        (self.bytes, self.type, self.stride, self.scales) = (bytes, type, stride, scales)
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
        precondition(scales.map { $0.count >= rows } ?? true, "\(scales!.count) scales for \(rows) rows")
        return unsafe bytes.withUnsafeBytes { bytes in
            func states(_ scales: UnsafePointer<Float>?) -> ck_states {
                unsafe ck_states(
                    numbers: bytes.baseAddress, type: type.kernelType, stride: stride, scales: scales)
            }
            guard let scales else { return unsafe body(states(nil)) }
            return unsafe scales.withUnsafeBufferPointer { unsafe body(states($0.baseAddress)) }
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

    /// Widens rows to floats, `to` apart: exact for every f16 and bf16, NaN and infinity included, and rounded once where
    /// there are scales. Any alignment is read.
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
    var kernelType: ck_type {
        switch self {
        case .f32: CK_F32
        case .f16: CK_F16
        case .bf16: CK_BF16
        case .f8E4M3: CK_F8_E4M3
        case .f8E5M2: CK_F8_E5M2
        }
    }
}
