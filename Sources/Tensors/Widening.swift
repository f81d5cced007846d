/// Widens little-endian elements, without scales, to floats: exact for all, NaN and infinity included.
///
/// Any alignment is read. O(`into.count`).
///
/// - Precondition: `bytes` holds exactly `into.count` elements of `type`.
package func widen(_ bytes: RawSpan, as type: ElementType, into: inout MutableSpan<Float>) {
    precondition(bytes.byteCount == into.count * type.size, "bytes and floats differ in number")
    let count = into.count
    StoredRows(bytes, type, stride: 0).widen(1, columns: count, into: &into, stride: count)
}
