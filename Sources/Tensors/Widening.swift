private import CKernels

/// Widens little-endian elements to floats: exact for every f16 and bf16, NaN and infinity included.
///
/// Any alignment is read. O(`into.count`).
///
/// - Precondition: `bytes` holds exactly `into.count` elements of `type`.
public func widen(_ bytes: RawSpan, as type: ElementType, into: inout MutableSpan<Float>) {
    precondition(bytes.byteCount == into.count * type.size, "bytes and floats differ in number")
    let count = into.count
    unsafe bytes.withUnsafeBytes { from in
        unsafe into.withUnsafeMutableBufferPointer { to in
            guard let source = from.baseAddress, let target = to.baseAddress else { return }
            switch type {
            case .f32: unsafe UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 4)
            case .f16: unsafe ck_widen_f16(source.assumingMemoryBound(to: UInt16.self), target, count)
            case .bf16: unsafe ck_widen_bf16(source.assumingMemoryBound(to: UInt16.self), target, count)
            }
        }
    }
}
