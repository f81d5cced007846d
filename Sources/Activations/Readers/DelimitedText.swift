// Tables as text, after RFC 4180: fields between commas, rows between ends of lines (LF or CR LF), and fields in
// quotation marks where they hold any of these, with a mark of their own written twice. As spreadsheets write
// them, semicolons or tabs may stand in place of commas, and blanks before a field do not count.

/// The rows of a table, each a list of fields.
package struct DelimitedText {
    /// What breaks the rules, and in which row, counted from 1.
    package enum Fault: Error, Equatable {
        /// The text ends inside quotation marks.
        case openQuotation(row: Int)
        /// A quotation mark inside a field without, or text behind a closing one.
        case strayQuotation(row: Int)
    }

    /// The rows, the header first; a row of an empty line has one empty field.
    package private(set) var rows: [[String]] = []

    /// Reads all rows. O(bytes).
    ///
    /// - Parameter text: UTF-8.
    package init(_ text: some Collection<UInt8>) throws(Fault) {
        let bytes = Array(text)
        let separator = Self.separator(bytes)
        var index = 0
        while index < bytes.count {
            rows.append(try Self.row(bytes, &index, separator, number: rows.count + 1))
        }
    }

    private static let (quotation, blank) = (UInt8(ascii: "\""), UInt8(ascii: " "))
    private static let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))

    // Whichever the first line has most of, outside quotation marks; a comma where it has none.
    private static func separator(_ bytes: [UInt8]) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in bytes.prefix(while: { $0 != lineFeed }) {
            if byte == quotation { isQuoted.toggle() }
            if !isQuoted { counts[byte, default: 0] += 1 }
        }
        let separators = [UInt8(ascii: "\t"), UInt8(ascii: ";"), UInt8(ascii: ",")]
        return separators.max { counts[$0, default: 0] < counts[$1, default: 0] }!
    }

    // The fields up to the end of a line, which is passed.
    private static func row(
        _ bytes: [UInt8], _ index: inout Int, _ separator: UInt8, number: Int
    ) throws(Fault) -> [String] {
        func isEnd(_ place: Int) -> Bool {
            place == bytes.count || bytes[place] == lineFeed
                || (bytes[place] == carriageReturn && place + 1 < bytes.count && bytes[place + 1] == lineFeed)
        }
        var fields: [String] = []
        while true {
            while index < bytes.count, bytes[index] == blank { index += 1 }
            var field: [UInt8] = []
            if index < bytes.count, bytes[index] == quotation {
                index += 1
                while true {
                    guard index < bytes.count else { throw .openQuotation(row: number) }
                    if bytes[index] == quotation {
                        index += 1
                        guard index < bytes.count, bytes[index] == quotation else { break }
                    }
                    field.append(bytes[index])
                    index += 1
                }
                while index < bytes.count, bytes[index] == blank { index += 1 }
                guard isEnd(index) || bytes[index] == separator else { throw .strayQuotation(row: number) }
            } else {
                while !isEnd(index), bytes[index] != separator {
                    guard bytes[index] != quotation else { throw .strayQuotation(row: number) }
                    field.append(bytes[index])
                    index += 1
                }
            }
            fields.append(String(decoding: field, as: UTF8.self))
            guard !isEnd(index) else { break }
            index += 1
        }
        if index < bytes.count { index += bytes[index] == carriageReturn ? 2 : 1 }
        return fields
    }
}
