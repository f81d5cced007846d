/// The bytes of a safetensors file from a header written out by hand, so that a test can break any
/// rule of the format.
public func literalSafetensors(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
}

/// The bytes of a safetensors file of these tensors, end to end.
public func literalSafetensors(
    _ tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])], metadata: String? = nil
) -> [UInt8] {
    var start = 0
    let fields = tensors.map { tensor -> String in
        defer { start += tensor.bytes.count }
        return "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),"
            + "\"data_offsets\":[\(start),\(start + tensor.bytes.count)]}"
    }
    let parts = (metadata.map { ["\"__metadata__\":\($0)"] } ?? []) + fields
    return literalSafetensors("{\(parts.joined(separator: ","))}", tensors.flatMap(\.bytes))
}

/// Little-endian bytes of floats, end to end.
public func floatBytes(_ floats: Float...) -> [UInt8] {
    floats.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
}

/// Little-endian bytes of doubles, end to end.
public func doubleBytes(_ doubles: Double...) -> [UInt8] {
    doubles.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
}

/// Little-endian bytes of 64-bit integers, end to end.
public func integerBytes(_ integers: Int...) -> [UInt8] {
    integers.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
}
