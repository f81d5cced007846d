// The JSON header of a safetensors file. Headers as the format's own libraries write them are scanned
// by a few lines, in a tenth of the time of a general decoder, which counts where a folder has
// thousands of small files; all others, and all broken ones, are left to Foundation's decoder.
private import FoundationEssentials

/// What stands in the header: metadata, and a type, shape and place for each tensor.
struct SafetensorsHeader: Decodable {
    struct Entry: Decodable {
        let type: String
        let shape: [Int]
        let begin, end: Int

        private enum CodingKeys: String, CodingKey {
            case type = "dtype"
            case shape
            case offsets = "data_offsets"
        }

        init(type: String, shape: [Int], begin: Int, end: Int) {
            (self.type, self.shape, self.begin, self.end) = (type, shape, begin, end)
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decode(String.self, forKey: .type)
            shape = try container.decode([Int].self, forKey: .shape)
            let offsets = try container.decode([Int].self, forKey: .offsets)
            guard offsets.count == 2 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .offsets, in: container, debugDescription: "\(offsets.count) numbers instead of 2"
                )
            }
            (begin, end) = (offsets[0], offsets[1])
        }
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private(set) var metadata: [String: String] = [:]
    private(set) var entries = NamedValues<Entry>()
    // More are left to the decoder.
    private static let fewEntries = 256

    /// Scans a header of plain strings, each tensor with its three fields; nil for anything else.
    init?(plain bytes: [UInt8]) {
        var scanner = PlainScanner(bytes.span)
        guard scanner.skip("{") else { return nil }
        if !scanner.skip("}") {
            repeat {
                guard let name = scanner.string(), scanner.skip(":"), scanner.skip("{") else { return nil }
                if name == "__metadata__" {
                    guard metadata.isEmpty else { return nil }
                    if scanner.skip("}") { continue }
                    repeat {
                        guard let key = scanner.string(), scanner.skip(":"), let value = scanner.string(),
                            metadata.updateValue(value, forKey: key) == nil
                        else { return nil }
                    } while scanner.skip(",")
                    guard scanner.skip("}") else { return nil }
                } else {
                    guard entries.elements.count < Self.fewEntries, let entry = scanner.entry(),
                        entries.add(name, entry)
                    else { return nil }
                }
            } while scanner.skip(",")
            guard scanner.skip("}") else { return nil }
        }
        guard scanner.isAtEnd else { return nil }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        var entries: [String: Entry] = [:]
        for name in container.allKeys {
            if name.stringValue == "__metadata__" {
                // null says as much as no metadata; the format's own library takes it so.
                metadata = try container.decodeIfPresent([String: String].self, forKey: name) ?? [:]
            } else {
                entries[name.stringValue] = try container.decode(Entry.self, forKey: name)
            }
        }
        self.entries = NamedValues(entries)
    }

    // A decoding error in a few words: where in the JSON, and what.
    static func fault(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        func at(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return (path.isEmpty ? "" : "at \(path), ") + context.debugDescription
        }
        switch error {
        case .keyNotFound(let key, let context): return "no \(key.stringValue) " + at(context)
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return at(context)
        @unknown default: return "\(error)"
        }
    }
}

private struct PlainScanner: ~Escapable {
    private let bytes: Span<UInt8>
    private var index = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    // The byte that comes next; 0, which no header has, at the end.
    private var next: UInt8 { index < bytes.count ? bytes[index] : 0 }

    private mutating func skipSpace() {
        while next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { index += 1 }
    }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return index == bytes.count
        }
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    // Where printable ASCII is, up to a quotation mark or what is none.
    private mutating func characters() -> Range<Int> {
        var end = index
        while end < bytes.count, 0x20 <= bytes[end], bytes[end] < 0x7F, bytes[end] != UInt8(ascii: "\""),
            bytes[end] != UInt8(ascii: "\\")
        {
            end += 1
        }
        defer { index = end }
        return index..<end
    }

    // The end of a string, which has no space before it.
    private mutating func skipEnd() -> Bool {
        guard next == UInt8(ascii: "\"") else { return false }
        index += 1
        return true
    }

    private func text(_ range: Range<Int>) -> String {
        // ASCII is always UTF-8.
        String(copying: try! UTF8Span(validating: bytes.extracting(range)))
    }

    // Printable ASCII, at most with escaped quotation marks, as in a list of names.
    mutating func string() -> String? {
        guard skip("\"") else { return nil }
        var text = text(characters())
        while next == UInt8(ascii: "\\") {
            index += 1
            guard next == UInt8(ascii: "\"") else { return nil }
            index += 1
            text += "\"" + self.text(characters())
        }
        return skipEnd() ? text : nil
    }

    // Digits without a leading zero, few enough for an Int.
    private mutating func number() -> Int? {
        skipSpace()
        let start = index
        var value = 0
        while 0x30 <= next, next <= 0x39 {
            guard index - start < 18 else { return nil }
            value = value * 10 + Int(next - 0x30)
            index += 1
        }
        guard index > start, bytes[start] != 0x30 || index == start + 1 else { return nil }
        return value
    }

    private mutating func numbers() -> [Int]? {
        guard skip("[") else { return nil }
        var values: [Int] = []
        values.reserveCapacity(4)
        if skip("]") { return values }
        repeat {
            guard let value = number() else { return nil }
            values.append(value)
        } while skip(",")
        return skip("]") ? values : nil
    }

    private mutating func pair() -> (Int, Int)? {
        guard skip("["), let first = number(), skip(","), let second = number(), skip("]") else { return nil }
        return (first, second)
    }

    private func holds(_ range: Range<Int>, _ text: [UInt8]) -> Bool {
        range.count == text.count && text.indices.allSatisfy { bytes[range.lowerBound + $0] == text[$0] }
    }

    private static let (typeKey, shapeKey, placeKey) = (
        Array("dtype".utf8), Array("shape".utf8), Array("data_offsets".utf8)
    )

    // The three fields of a tensor in any order, behind the opening brace.
    mutating func entry() -> SafetensorsHeader.Entry? {
        var type: String?
        var shape: [Int]?
        var place: (begin: Int, end: Int)?
        repeat {
            guard skip("\"") else { return nil }
            let key = characters()
            guard skipEnd(), skip(":") else { return nil }
            if type == nil, holds(key, Self.typeKey) {
                guard let value = string() else { return nil }
                type = value
            } else if shape == nil, holds(key, Self.shapeKey) {
                guard let value = numbers() else { return nil }
                shape = value
            } else if place == nil, holds(key, Self.placeKey) {
                guard let value = pair() else { return nil }
                place = value
            } else {
                return nil
            }
        } while skip(",")
        guard skip("}"), let type, let shape, let place else { return nil }
        return SafetensorsHeader.Entry(type: type, shape: shape, begin: place.begin, end: place.end)
    }
}
