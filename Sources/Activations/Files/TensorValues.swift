// Tensors out of an open file, with their types and shapes checked.
private import Tensors
import Storage

extension TensorFile {
    /// Types of whole numbers that are read, as `labels` and masks may have them.
    static let integerTypes = ["I64", "I32", "I16", "I8", "U32", "U16", "U8", "BOOL"]

    /// Types of numbers that count something or name it.
    static let indexTypes = ["I64", "I32"]

    /// The names of the tensors for a message: the first few of many.
    var tensorNames: String {
        let names = tensors.names.sorted()
        guard names.count > 12 else { return names.isEmpty ? "no tensors" : names.joined(separator: ", ") }
        return names.prefix(8).joined(separator: ", ") + ", … (\(names.count) tensors)"
    }

    /// A tensor that must be there, of one of these types and this many dimensions.
    ///
    /// - Throws: `DataError`, naming file and tensor.
    package func require(_ name: String, types: [String], dimensions: Int) throws(DataError) -> Tensor {
        guard let tensor = tensors[name] else {
            throw DataError(
                .missingTensor, file.path, expected: "a tensor \(name)", found: tensorNames)
        }
        guard types.contains(tensor.type) else {
            throw DataError(
                .elementType, file.path, "tensor \(name)", expected: types.formatted, found: tensor.type)
        }
        guard tensor.shape.count == dimensions else {
            throw DataError(
                .shape, file.path, "tensor \(name)", expected: "\(dimensions) dimensions",
                found: "shape \(tensor.shape)")
        }
        return tensor
    }

    /// The same with the shape given.
    package func require(_ name: String, types: [String], shape: [Int]) throws(DataError) -> Tensor {
        let tensor = try require(name, types: types, dimensions: shape.count)
        guard tensor.shape == shape else {
            throw DataError(
                .shape, file.path, "tensor \(name)", expected: "shape \(shape)",
                found: "shape \(tensor.shape)")
        }
        return tensor
    }

    /// The same, of a tensor that may be absent.
    package func optional(_ name: String, types: [String], shape: [Int]) throws(DataError) -> Tensor? {
        tensors[name] == nil ? nil : try require(name, types: types, shape: shape)
    }

    /// The elements of an integer tensor, row-major. O(elements).
    ///
    /// - Precondition: the type is I64, I32, I16, I8, U32, U16, U8 or BOOL.
    package func integers(_ tensor: Tensor) -> [Int] { integers(tensor) { $0 } }

    /// The same, each made into something else as it is read: of many there is no array of integers beside that.
    func integers<T>(_ tensor: Tensor, _ made: (Int) -> T) -> [T] {
        source(tensor).withBytes(tensor.bytes) { bytes in
            switch tensor.type {
            case "I64": loadArray(bytes, of: Int64.self).map { made(Int(Int64(littleEndian: $0))) }
            case "I32": loadArray(bytes, of: Int32.self).map { made(Int(Int32(littleEndian: $0))) }
            case "I16": loadArray(bytes, of: Int16.self).map { made(Int(Int16(littleEndian: $0))) }
            case "I8": loadArray(bytes, of: Int8.self).map { made(Int($0)) }
            case "U32": loadArray(bytes, of: UInt32.self).map { made(Int(UInt32(littleEndian: $0))) }
            case "U16": loadArray(bytes, of: UInt16.self).map { made(Int(UInt16(littleEndian: $0))) }
            case "U8", "BOOL": loadArray(bytes, of: UInt8.self).map { made(Int($0)) }
            default: preconditionFailure("\(tensor.type) is no integer type that is read")
            }
        }
    }

    /// The elements of an F64 tensor, row-major. O(elements).
    func doubles(_ tensor: Tensor) -> [Double] {
        source(tensor).withBytes(tensor.bytes) {
            loadArray($0, of: UInt64.self).map { Double(bitPattern: UInt64(littleEndian: $0)) }
        }
    }

    /// An F64 tensor as F32, each element rounded once, when it is looked at.
    func rounded(_ tensor: Tensor) -> Tensor {
        let (source, start) = (source(tensor), tensor.bytes.lowerBound)
        let count = tensor.bytes.count / 8 * 4
        let own = ByteSource(count: count, from: source) { range, piece in
            let floats = source.withBytes(start + 2 * range.lowerBound..<start + 2 * range.upperBound) {
                loadArray($0, of: UInt64.self).map { Float(Double(bitPattern: UInt64(littleEndian: $0))) }
            }
            piece = narrow(floats.span, as: .f32)
        }
        return Tensor(type: "F32", shape: tensor.shape, bytes: 0..<count, own: own)
    }

    /// The elements of a tensor of numbers as floats, row-major. O(elements).
    ///
    /// - Precondition: the type is F64, F32, F16, BF16 or one that `integers` reads.
    package func floats(_ tensor: Tensor) -> [Float] {
        switch tensor.type {
        case "F64":
            return doubles(tensor).map { Float($0) }
        case "F32", "F16", "BF16":
            let type = ElementType(rawValue: tensor.type)!
            var floats = [Float](repeating: 0, count: tensor.bytes.count / type.size)
            let count = floats.count
            source(tensor).withBytes(tensor.bytes) { bytes in
                floats.withPart(0..<count) { widen(bytes, as: type, into: &$0) }
            }
            return floats
        default: return integers(tensor) { Float($0) }
        }
    }
}

extension [String] {
    /// "a", "a or b", "a, b or c".
    package var formatted: String {
        count < 2 ? joined() : dropLast().joined(separator: ", ") + " or " + self[count - 1]
    }
}
