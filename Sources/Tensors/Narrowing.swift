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

/// The first finite float that has become an infinity in `narrowed`, its bytes as `type`; nil if there is
/// none. O(n), fast where no result is infinite or NaN.
public func firstOverflow(_ values: Span<Float>, _ narrowed: [UInt8], as type: ElementType) -> Int? {
    guard type != .f32 else { return nil }
    let infinity: UInt16 = type == .f16 ? 0x7C00 : 0x7F80
    let isSuspect = unsafe narrowed.withUnsafeBytes { bytes in
        var found: UInt16 = 0
        let elements = unsafe bytes.bindMemory(to: UInt16.self)
        for i in 0..<elements.count {
            found |= unsafe elements[i].littleEndian & 0x7FFF >= infinity ? 1 : 0
        }
        return found != 0
    }
    guard isSuspect else { return nil }
    return values.indices.first { i in
        let bits = UInt16(narrowed[2 * i]) | UInt16(narrowed[2 * i + 1]) << 8
        return values[i].isFinite && bits & 0x7FFF == infinity
    }
}
