// One JSON text (RFC 8259) as a value. Foundation's decoders say 3 for 3.0, and here the two differ: a label 3.0 is a
// number to predict, and 3 a class. So numbers stay the text that they are written with.

/// A value of JSON.
package enum JSONValue: Equatable {
    case null
    case bool(Bool)
    /// As it is written.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// Of a name that is there twice, the last.
    case object([String: JSONValue])

    /// Where a text is no JSON: the first byte that cannot stand there.
    package struct Fault: Error, Equatable {
        let place: Int
    }

    /// Reads a text that is one value, with blanks around it.
    package init(_ text: some Collection<UInt8>) throws(Fault) {
        var reader = JSONReader(bytes: Array(text))
        self = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.place == reader.bytes.count else { throw reader.fault }
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    var place = 0

    var fault: JSONValue.Fault { JSONValue.Fault(place: place) }

    // Deeper ones are refused: nobody labels with them, and each level takes some of the stack.
    private static let mostDepth = 64

    // The next byte; 0, which stands nowhere in JSON, at the end.
    private var next: UInt8 { place < bytes.count ? bytes[place] : 0 }

    mutating func skipBlanks() { while [0x20, 0x09, 0x0A, 0x0D].contains(next) { place += 1 } }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func require(_ character: Unicode.Scalar) throws(JSONValue.Fault) {
        guard skip(character) else { throw fault }
    }

    mutating func value(depth: Int) throws(JSONValue.Fault) -> JSONValue {
        skipBlanks()
        guard depth < Self.mostDepth else { throw fault }
        switch next {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default:
            for (word, value) in [("null", JSONValue.null), ("true", .bool(true)), ("false", .bool(false))]
            where bytes[place...].starts(with: word.utf8) {
                place += word.utf8.count
                return value
            }
            throw fault
        }
    }

    private mutating func object(_ depth: Int) throws(JSONValue.Fault) -> JSONValue {
        try require("{")
        var fields: [String: JSONValue] = [:]
        skipBlanks()
        if skip("}") { return .object(fields) }
        repeat {
            skipBlanks()
            let name = try string()
            skipBlanks()
            try require(":")
            fields[name] = try value(depth: depth + 1)
            skipBlanks()
        } while skip(",")
        try require("}")
        return .object(fields)
    }

    private mutating func array(_ depth: Int) throws(JSONValue.Fault) -> JSONValue {
        try require("[")
        var values: [JSONValue] = []
        skipBlanks()
        if skip("]") { return .array(values) }
        repeat {
            values.append(try value(depth: depth + 1))
            skipBlanks()
        } while skip(",")
        try require("]")
        return .array(values)
    }

    private mutating func number() throws(JSONValue.Fault) -> String {
        let start = place
        _ = skip("-")
        if !skip("0") { try digits() }
        if skip(".") { try digits() }
        if skip("e") || skip("E") {
            if !skip("+") { _ = skip("-") }
            try digits()
        }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func digits() throws(JSONValue.Fault) {
        guard 0x30 <= next, next <= 0x39 else { throw fault }
        while 0x30 <= next, next <= 0x39 { place += 1 }
    }

    private mutating func string() throws(JSONValue.Fault) -> String {
        try require("\"")
        var text: [UInt8] = []
        while !skip("\"") {
            guard next >= 0x20 else { throw fault }
            guard skip("\\") else {
                text.append(next)
                place += 1
                continue
            }
            text += String(try escape()).utf8
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let escapes: [UInt8: Unicode.Scalar] = [
        0x22: "\"", 0x5C: "\\", 0x2F: "/", 0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r", 0x74: "\t",
    ]

    // What stands behind a backslash; characters beyond the first plane are two halves.
    private mutating func escape() throws(JSONValue.Fault) -> Unicode.Scalar {
        if let scalar = Self.escapes[next] {
            place += 1
            return scalar
        }
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00 else { throw fault }
        try require("\\")
        let second = try unit()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw fault }
        return scalar
    }

    private mutating func unit() throws(JSONValue.Fault) -> UInt32 {
        try require("u")
        guard place + 4 <= bytes.count,
            let value = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
        else { throw fault }
        place += 4
        return value
    }
}
