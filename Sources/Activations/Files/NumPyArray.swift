// .npy: 0x93 "NUMPY", a major and a minor version, the length of a header (2 bytes in version 1, 4 later,
// little-endian), the header, then the elements:
//
//     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
//
// `descr` is a byte order (< little, > big, | none), a kind and a size; |O are Python objects, pickled, which
// are refused: unpickling runs whatever the file says.
internal import Tensors
import Storage

/// What the header of an array says.
struct NumPyArray: TensorContainer {
    static let ending = ".npy"
    static let marks = [[0x93] + Array("NUMPY".utf8)]

    /// The type as safetensors calls it, where it has a name for it; else a description of it.
    let type: String
    let shape: [Int]
    /// Where the elements start.
    let start: Int

    /// The longest header that is read, with what stands before it.
    static let longestHeader = 65536

    /// A .npy file: its array as `hidden_states`, in place.
    ///
    /// - Throws: `DataError` where it breaks the format.
    static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        let array = try NumPyArray(
            file.bytes(0..<min(file.count, longestHeader)), file.path, nil, size: file.count)
        let bytes = array.start..<file.count
        return TensorFile(
            file, self, tensors: ["hidden_states": .init(type: array.type, shape: array.shape, bytes: bytes)])
    }

    /// Reads the header of an array that takes `size` bytes altogether.
    ///
    /// - Throws: `DataError` where it breaks the format, is not as long as its shape says, or holds objects.
    init(_ bytes: [UInt8], _ path: String, _ place: String?, size: Int) throws(DataError) {
        func fault(_ rule: DataError.Rule, _ expected: String, _ found: String) -> DataError {
            DataError(rule, path, place, expected: expected, found: found)
        }
        guard bytes.count >= 12, bytes.starts(with: Self.marks[0]) else {
            throw fault(.truncated, "a NumPy array", "\(size) bytes of something else")
        }
        let wide = bytes[6] > 1
        let length = (0..<(wide ? 4 : 2)).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        start = (wide ? 12 : 10) + length
        guard start <= bytes.count else {
            throw fault(.truncated, "a header of \(length) bytes", "\(bytes.count - (wide ? 12 : 10))")
        }
        let text = String(decoding: bytes[(wide ? 12 : 10)..<start], as: UTF8.self)
        guard let header = PythonDictionary(text), let descr = header.type, let isFortran = header.isFortran,
            let shape = header.shape
        else {
            throw fault(
                .header, "a header with descr, fortran_order and shape",
                text.trimmingSuffix { $0.isWhitespace }.description)
        }
        guard !descr.hasSuffix("O"), !descr.contains("'O") else {
            throw fault(.array, "numbers", "pickled Python objects, which are not read")
        }
        self.shape = shape
        var type = Self.names[descr] ?? (descr.hasPrefix(">") ? "big-endian \(descr)" : descr)
        // With one row or column both orders are the same.
        if isFortran, shape.count(where: { $0 != 1 }) > 1 { type += " in Fortran order" }
        self.type = type
        guard let elementSize = Safetensors.elementSizes[type] else { return }
        guard let wanted = Safetensors.byteCount(shape, elementSize) else {
            throw fault(.tensorBounds, "the bytes of \(type) \(shape)", "\(size - start) bytes")
        }
        guard wanted != size - start else { return }
        throw fault(
            wanted > size - start ? .truncated : .tensorBounds, "\(wanted) bytes of \(type) \(shape)",
            "\(size - start)" + (wanted > size - start ? ": the file is cut short" : ""))
    }

    private static let names = [
        "<f2": "F16", "<f4": "F32", "<f8": "F64", "<i8": "I64", "<i4": "I32", "<i2": "I16", "|i1": "I8",
        "<u2": "U16", "<u4": "U32", "|u1": "U8", "|b1": "BOOL", "bfloat16": "BF16",
    ]
}

/// The header as Python writes it: a dictionary of strings, True or False, and tuples of numbers.
private struct PythonDictionary {
    private(set) var type: String?
    private(set) var isFortran: Bool?
    private(set) var shape: [Int]?

    init?(_ text: String) {
        guard let type = Self.value("descr", text), let order = Self.value("fortran_order", text),
            let shape = Self.value("shape", text)
        else { return nil }
        switch type.first {
        case "'", "\"": self.type = String(type.dropFirst().prefix { $0 != "'" && $0 != "\"" })
        // Fields of a record.
        case "[": self.type = "a record " + type.prefix { $0 != "]" } + "]"
        default: return nil
        }
        isFortran = order.hasPrefix("True") ? true : order.hasPrefix("False") ? false : nil
        guard shape.first == "(", let end = shape.firstIndex(of: ")") else { return nil }
        let parts = shape[shape.index(after: shape.startIndex)..<end].split(separator: ",")
            .map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
        let sizes = parts.compactMap { Int($0) }
        self.shape = sizes.count == parts.count && sizes.allSatisfy { $0 >= 0 } ? sizes : nil
    }

    // What follows a key and its colon.
    private static func value(_ key: String, _ text: String) -> Substring? {
        guard let range = text.firstRange(of: "'\(key)'") ?? text.firstRange(of: "\"\(key)\"") else {
            return nil
        }
        let rest = text[range.upperBound...].drop { $0.isWhitespace }
        guard rest.first == ":" else { return nil }
        return rest.dropFirst().drop { $0.isWhitespace }
    }
}

extension String {
    fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> Substring {
        self[..<(lastIndex { !isDropped($0) }.map { index(after: $0) } ?? startIndex)]
    }
}
