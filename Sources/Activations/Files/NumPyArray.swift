// .npy: 0x93 "NUMPY", a major and a minor version, the length of a header (2 bytes in version 1, 4 later,
// little-endian), the header, then the elements:
//
//     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
//
// `descr` is a byte order (< little, > big, | none), a kind and a size: f floats, i and u whole numbers, b booleans, S and U
// texts of bytes or of 4 bytes a character. V2 is what ml_dtypes and JAX write for bfloat16 and f1 for float8_e5m2; V1 they
// write for float8_e4m3fn as for six other types, and it is read as no states. |O are Python objects, pickled, which are
// refused: unpickling runs whatever the file says.
internal import Tensors
import Storage

/// What the header of an array says.
struct NumPyArray: TensorContainer {
    static let endings = [".npy"]
    static let marks = [[0x93] + Array("NUMPY".utf8)]

    /// The type as safetensors calls it, where it has a name for it; else a description of it.
    let type: String
    let shape: [Int]
    /// Where the elements start.
    let start: Int
    private let isBigEndian: Bool
    private let isFortran: Bool
    // Bytes of a text, where that is what elements are, and of one of its characters.
    private let textSize: (element: Int, character: Int)?

    /// What to do with an array of V1.
    static let wayFromV1 =
        ", which NumPy writes for float8_e4m3fn and for others alike; in Python: "
        + "safetensors.numpy.save_file({\"hidden_states\": x}, \"OUT.safetensors\") writes which it is"

    /// The longest header that is read, with what stands before it.
    static let longestHeader = 65536

    /// A .npy file: its array as `hidden_states`, in place.
    ///
    /// - Throws: `DataError` where it breaks the format.
    static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        try open(file, as: "hidden_states")
    }

    /// The same with another name for the array.
    static func open(_ file: ByteSource, as name: String) throws(DataError) -> TensorFile {
        let array = try NumPyArray(
            file.bytes(0..<min(file.count, longestHeader)), file.path, nil, size: file.count)
        var parts = NamedParts()
        array.add(name, to: &parts, file, at: array.start)
        return parts.file(file, self)
    }

    /// Adds the array to what a file holds.
    ///
    /// - Parameter place: where its elements start in the file.
    func add(_ name: String, to parts: inout NamedParts, _ file: ByteSource, at place: Int) {
        if textSize != nil {
            if shape.count == 1 { parts.texts[name] = texts(file, at: place) }
            return
        }
        guard let size = Safetensors.elementSizes[type] else {
            parts.tensors[name] = TensorFile.Tensor(type: type, shape: shape, bytes: place..<place)
            return
        }
        let inOrder = StoredElements.inOrder(isFortran ? shape.reversed() : shape)
        parts.tensors[name] =
            StoredElements(
                file: file, start: place, type: type, size: size, shape: shape,
                strides: isFortran ? inOrder.reversed() : inOrder, isBigEndian: isBigEndian
            ).tensor
    }

    // Zeros fill what is shorter.
    private func texts(_ file: ByteSource, at place: Int) -> [String] {
        let (size, width) = textSize!
        return (0..<shape[0]).map { index in
            let bytes = file.bytes(place + index * size..<place + (index + 1) * size)
            guard width == 4 else {
                return String(decoding: bytes[..<((bytes.lastIndex { $0 != 0 } ?? -1) + 1)], as: UTF8.self)
            }
            var scalars = stride(from: 0, to: size, by: 4).map { start in
                let character = bytes[start..<start + 4]
                return (isBigEndian ? Array(character) : character.reversed()).reduce(0) {
                    $0 << 8 | UInt32($1)
                }
            }
            while scalars.last == 0 { scalars.removeLast() }
            return String(String.UnicodeScalarView(scalars.map { Unicode.Scalar($0) ?? "\u{FFFD}" }))
        }
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
        let order = descr.first.flatMap { "<>|=".contains($0) ? $0 : nil }
        let kind = order == nil ? descr : String(descr.dropFirst())
        type = Self.names[kind] ?? descr
        isBigEndian = order == ">"
        // With one row or column both orders are the same.
        self.isFortran = isFortran && shape.count(where: { $0 != 1 }) > 1
        let character = kind.first == "U" ? 4 : 1
        textSize = Self.textLength(kind).map { ($0 * character, character) }
        guard let elementSize = textSize?.element ?? Safetensors.elementSizes[type] else { return }
        guard let wanted = Safetensors.byteCount(shape, elementSize) else {
            throw fault(.tensorBounds, "the bytes of \(type) \(shape)", "\(size - start) bytes")
        }
        guard wanted != size - start else { return }
        throw fault(
            wanted > size - start ? .truncated : .tensorBounds, "\(wanted) bytes of \(type) \(shape)",
            "\(size - start)" + (wanted > size - start ? ": the file is cut short" : ""))
    }

    // Types without their byte order, as safetensors calls them.
    private static let names = [
        "f2": "F16", "f4": "F32", "f8": "F64", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u8": "U64",
        "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL", "bfloat16": "BF16", "V2": "BF16",
        "f1": "F8_E5M2",
    ]

    // How many characters a text has at most: 5 in U5.
    private static func textLength(_ kind: String) -> Int? {
        guard kind.first == "U" || kind.first == "S", let count = Int(kind.dropFirst()),
            (1...65536).contains(count)
        else { return nil }
        return count
    }
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
