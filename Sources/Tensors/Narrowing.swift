private import CKernels

/// The bytes of floats stored as `type`, little-endian, rounded to the nearest value and on a tie to
/// the even one. O(n).
///
/// A finite float beyond the largest of `type` becomes an infinity; a NaN stays one.
public func narrow(_ values: Span<Float>, as type: ElementType) -> [UInt8] {
    let count = values.count * type.size
    return unsafe values.withUnsafeBufferPointer { values in
        unsafe [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
            initialized = count
            guard let source = values.baseAddress, let base = bytes.baseAddress else { return }
            let target = UnsafeMutableRawPointer(base)
            switch type {
            case .f32: unsafe target.copyMemory(from: source, byteCount: count)
            case .f16:
                unsafe ck_narrow_f16(
                    source, target.bindMemory(to: UInt16.self, capacity: values.count), values.count)
            case .bf16:
                unsafe ck_narrow_bf16(
                    source, target.bindMemory(to: UInt16.self, capacity: values.count), values.count)
            }
        }
    }
}
