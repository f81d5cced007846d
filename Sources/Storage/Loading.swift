// Values out of bytes.
extension RawSpan {
    /// Lends the bytes as floats in place.
    ///
    /// - Precondition: the bytes are aligned for floats and hold a whole number of them.
    package func withFloats<R, E: Error>(_ body: (Span<Float>) throws(E) -> R) throws(E) -> R {
        try unsafe withUnsafeBytes { (bytes) throws(E) -> R in try body(unsafe Span(_unsafeBytes: bytes)) }
    }
}

/// Copies one element of a trivial type out of bytes that may be unaligned. O(1).
///
/// - Precondition: the bytes hold an element.
@inlinable package func load<T: BitwiseCopyable>(_ bytes: RawSpan, as type: T.Type) -> T {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: T.self)
}

/// Copies elements of a trivial type out of bytes that may be unaligned. O(n).
///
/// - Precondition: the bytes hold a whole number of elements.
@inlinable package func loadArray<T: BitwiseCopyable>(_ bytes: RawSpan, of type: T.Type) -> [T] {
    let size = MemoryLayout<T>.size
    precondition(bytes.byteCount % size == 0, "bytes are no whole number of elements")
    return (0..<bytes.byteCount / size).map {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * size, as: T.self)
    }
}

extension RawSpan {
    /// One byte. O(1).
    ///
    /// - Precondition: there is such a byte.
    @inlinable package func byte(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < byteCount, "byte \(index) of \(byteCount)")
        return unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }
}
