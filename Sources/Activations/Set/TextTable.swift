// Many strings: in one tensor of UTF-8 bytes and one of offsets, as activation files hold them, or in memory.
private import Tensors
import Storage

extension TensorFile {
    /// The strings of the tensors `name` and `name_offsets`, one a sequence.
    ///
    /// - Throws: `DataError` where there are no such tensors, or they break a rule.
    package func texts(_ name: String, count: Int) throws(DataError) -> [String] {
        guard let table = try TextTable(self, name, count: count) else {
            throw DataError(.missingTensor, path, expected: "a tensor \(name)", found: "none")
        }
        return (0..<count).map { table[$0] }
    }
}

struct TextTable: Sendable {
    private enum Strings: Sendable {
        case held([[UInt8]])
        case stored(ByteSource, Range<Int>, IntegerColumn)
    }
    private let strings: Strings

    // Bytes of strings that are held.
    private static let mostHeld = 4096

    /// Strings in memory.
    init(_ texts: [String]) { strings = .held(texts.map { Array($0.utf8) }) }

    /// The tensors `name` and `name_offsets` for `count` strings; nil if the file has no `name`.
    ///
    /// - Parameter areHeld: whether few strings of a small file stay in memory. Such a file is read when it is looked
    ///   at, dropped, and read again, all of it: for the ids of sequences that were scored, a second time.
    init?(_ file: TensorFile, _ name: String, count: Int, areHeld: Bool = false) throws(DataError) {
        guard file.tensors[name] != nil else { return nil }
        let text = try file.require(name, types: ["U8"], dimensions: 1)
        let offsetsName = name + "_offsets"
        let offsets = IntegerColumn(
            file, try file.require(offsetsName, types: TensorFile.indexTypes, shape: [count + 1]))
        func fault(_ place: String, _ expected: String, _ found: Int) -> DataError {
            DataError(
                .offsets, file.file.path, "tensor \(offsetsName)\(place)", expected: expected,
                found: "\(found)")
        }
        guard offsets[0] == 0 else { throw fault("", "0 first", offsets[0]) }
        for i in 0..<count where offsets[i + 1] < offsets[i] {
            throw fault(", element \(i + 1)", "at least \(offsets[i])", offsets[i + 1])
        }
        guard offsets[count] == text.bytes.count else {
            throw fault("", "\(text.bytes.count) last, the bytes of \(name)", offsets[count])
        }
        let source = file.source(text)
        guard areHeld, !source.isMapped, text.bytes.count <= Self.mostHeld else {
            strings = .stored(source, text.bytes, offsets)
            return
        }
        let all = source.bytes(text.bytes)
        strings = .held(
            (0..<count).map { Self.range(offsets, $0, of: all.count).map { Array(all[$0]) } ?? [] })
    }

    /// One string; bytes that are no UTF-8 become U+FFFD.
    subscript(index: Int) -> String { String(decoding: bytes(index), as: UTF8.self) }

    /// Whether the bytes of a string are UTF-8.
    func isValid(_ index: Int) -> Bool { String(validating: bytes(index), as: UTF8.self) != nil }

    /// The bytes of one string; none if the file was cut meanwhile.
    func bytes(_ index: Int) -> [UInt8] {
        switch strings {
        case .held(let texts): return texts[index]
        case .stored(let file, let bytes, let offsets):
            guard let range = Self.range(offsets, index, of: bytes.count) else { return [] }
            return file.bytes(bytes.lowerBound + range.lowerBound..<bytes.lowerBound + range.upperBound)
        }
    }

    // Where a string is among `count` bytes; nil if the offsets, which may be read anew, were overwritten.
    private static func range(_ offsets: IntegerColumn, _ index: Int, of count: Int) -> Range<Int>? {
        let (start, end) = (offsets[index], offsets[index + 1])
        return 0 <= start && start <= end && end <= count ? start..<end : nil
    }

    /// The bytes of some strings that follow each other, altogether.
    func byteCount(_ range: Range<Int>) -> Int {
        switch strings {
        case .held(let texts): texts[range].reduce(0) { $0 + $1.count }
        case .stored(_, _, let offsets): max(0, offsets[range.upperBound] - offsets[range.lowerBound])
        }
    }
}

extension String {
    /// What tells ids apart: their UTF-8. Two spellings of one letter ("é", and "e" with an accent), which
    /// are equal as strings, are two ids.
    package var idBytes: [UInt8] { Array(utf8) }
}
