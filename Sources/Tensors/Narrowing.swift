private import CKernels

/// The bytes of floats stored as `type`, little-endian, rounded to the nearest value and on a tie to
/// the even one. O(n).
///
/// A finite float beyond the largest of `type` becomes an infinity, or with a type of eight bits the largest; a NaN stays
/// one, and an infinity where the type has it.
package func narrow(_ values: Span<Float>, as type: ElementType) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: values.count * type.size)
    narrow(values, as: type, into: &bytes, at: 0)
    return bytes
}

/// The same, into bytes that are there, from one on.
///
/// - Precondition: there is room for them.
package func narrow(_ values: Span<Float>, as type: ElementType, into bytes: inout [UInt8], at start: Int) {
    precondition(start >= 0 && start + values.count * type.size <= bytes.count, "bytes outside the buffer")
    unsafe values.withUnsafeBufferPointer { values in
        unsafe bytes.withUnsafeMutableBytes { bytes in
            guard let source = values.baseAddress, let base = bytes.baseAddress else { return }
            let target = unsafe base + start
            switch type {
            case .f32: unsafe target.copyMemory(from: source, byteCount: values.count * type.size)
            case .f16:
                unsafe ck_narrow_f16(
                    source, target.assumingMemoryBound(to: UInt16.self), values.count)
            case .bf16:
                unsafe ck_narrow_bf16(
                    source, target.assumingMemoryBound(to: UInt16.self), values.count)
            case .f8E4M3, .f8E5M2:
                unsafe ck_narrow_f8(
                    source, 1, values.count, type.kernelType, target.assumingMemoryBound(to: UInt8.self), nil)
            }
        }
    }
}

/// The same for rows of floats, of which with a type of eight bits each gets a scale: its largest finite magnitude over
/// that of the type, 448 or 57344, and 1 where all are 0. A number is divided by the scale, and rounded then.
///
/// - Returns: the scales; none for other types.
/// - Precondition: there are whole rows, and there is room for them.
package func narrow(
    _ values: Span<Float>, columns: Int, as type: ElementType, into bytes: inout [UInt8], at start: Int
) -> [Float] {
    guard type.mayHaveScales else {
        narrow(values, as: type, into: &bytes, at: start)
        return []
    }
    let rows = values.count / columns
    precondition(values.count == rows * columns, "\(values.count) values in rows of \(columns)")
    precondition(start >= 0 && start + values.count <= bytes.count, "bytes outside the buffer")
    var scales = [Float](repeating: 1, count: rows)
    unsafe values.withUnsafeBufferPointer { values in
        unsafe bytes.withUnsafeMutableBufferPointer { bytes in
            unsafe scales.withUnsafeMutableBufferPointer { scales in
                guard let source = values.baseAddress, let target = bytes.baseAddress else { return }
                unsafe ck_narrow_f8(
                    source, rows, columns, type.kernelType, target + start, scales.baseAddress)
            }
        }
    }
    return scales
}

/// The first finite float that has become an infinity in its bytes as `type`, which start at `start`; nil if
/// there is none. O(n), fast where no result is infinite or NaN.
package func firstOverflow(
    _ values: Span<Float>, _ bytes: [UInt8], at start: Int, as type: ElementType
) -> Int? {
    guard type.size == 2 else { return nil }
    let infinity: UInt16 = type == .f16 ? 0x7C00 : 0x7F80
    let isSuspect = unsafe bytes.withUnsafeBytes { bytes in
        var found: UInt16 = 0
        let elements = unsafe bytes[start..<start + 2 * values.count].assumingMemoryBound(to: UInt16.self)
        for i in 0..<elements.count {
            found |= unsafe elements[i].littleEndian & 0x7FFF >= infinity ? 1 : 0
        }
        return found != 0
    }
    guard isSuspect else { return nil }
    return values.indices.first { i in
        let bits = UInt16(bytes[start + 2 * i]) | UInt16(bytes[start + 2 * i + 1]) << 8
        return values[i].isFinite && bits & 0x7FFF == infinity
    }
}
