import Activations

/// Bytes that grow by text: a row of strings put together takes three times as long.
struct RowText: TextOutputStream {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// What another has.
    mutating func write(_ other: RowText) { bytes += other.bytes }

    /// A string with its quotation marks.
    mutating func writeJSON(_ text: String) {
        // Most ids need no escape, and an encoder for each would take longer than the scores.
        let isPlain = text.utf8.allSatisfy {
            $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        guard isPlain else { return write(String(JSONList.encode([text]).dropFirst().dropLast())) }
        write("\"")
        write(text)
        write("\"")
    }

    /// A field of CSV, in quotation marks where it needs them (RFC 4180).
    mutating func writeCSV(_ text: String) {
        // By bytes: a quotation mark may be one character with an accent behind it.
        let mark = UInt8(ascii: "\"")
        let special = [UInt8(ascii: ","), mark, UInt8(ascii: "\r"), UInt8(ascii: "\n")]
        guard text.utf8.contains(where: special.contains) else { return write(text) }
        bytes.append(mark)
        for byte in text.utf8 { bytes.append(contentsOf: byte == mark ? [mark, mark] : [byte]) }
        bytes.append(mark)
    }

    /// `[a,b,…]`.
    mutating func writeList<Values: Collection>(
        _ values: Values, _ body: (Values.Element, inout RowText) -> Void
    ) {
        write("[")
        writeJoined(values, body)
        write("]")
    }

    /// `a,b,…`.
    mutating func writeJoined<Values: Collection>(
        _ values: Values, _ body: (Values.Element, inout RowText) -> Void
    ) {
        var isFirst = true
        for value in values {
            if !isFirst { write(",") }
            isFirst = false
            body(value, &self)
        }
    }
}
