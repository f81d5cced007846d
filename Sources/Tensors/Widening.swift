/// Widens little-endian elements to floats: exact for every f16 and bf16, NaN and infinity included.
///
/// Any alignment is read. O(`into.count`).
///
/// - Precondition: `bytes` holds exactly `into.count` elements of `type`.
package func widen(_ bytes: RawSpan, as type: ElementType, into: inout MutableSpan<Float>) {
    precondition(bytes.byteCount == into.count * type.size, "bytes and floats differ in number")
    let count = into.count
    StoredRows(bytes, type, stride: 0).widen(1, columns: count, into: &into, stride: count)
}
