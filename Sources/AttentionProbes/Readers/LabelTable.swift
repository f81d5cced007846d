// Labels beside the data, by sequence id: CSV (RFC 4180, also with semicolons or tabs) with a header, or one
// JSON object a line. `id` and `label` name the columns unless others are given; `group` may be there.
//
//     id,label,group             {"id": "cmpl-1", "label": "yes"}
//     cmpl-1,yes,7               {"id": "cmpl-2", "label": ["a", "c"]}
//
// Labels that are all whole numbers from 0 on are class indices, also 0.0 and 1.0, as a column of floats has them;
// other numbers are values to predict, anything else names of classes. A JSON label may be a list: of names for several
// labels, of numbers for several values. In CSV blanks at the ends of labels and groups do not count.
private import Foundation
private import SwiftCSV
private import Tensors

/// Labels, and groups, of sequences by their ids.
public struct LabelTable: Sendable {
    /// Which columns to read.
    public struct Columns: Sendable {
        /// The ids.
        public var id = "id"
        /// The labels.
        public var label = "label"
        /// The groups; nil for `group`, where there is such a column.
        public var group: String?
        /// `id`, `label` and nil.
        public init() {}

        fileprivate var groupName: String { group ?? "group" }
    }

    struct Row: Sendable {
        let id: String
        let label: LabelValue?
        let group: String?
        /// Which row of the file, counted from 1 with the header.
        let number: Int
    }

    /// The file.
    public let path: String
    let rows: [Row]
    /// The row of an id's bytes.
    let rowOfID: [[UInt8]: Int]

    /// Reads a table.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it is no CSV or JSON lines, a column
    ///   is missing or there twice, or an id is.
    public init(path: String, columns: Columns = Columns()) throws {
        self.path = path
        let file = try MappedFile(path: path)
        guard var text = String(validating: file.bytes(0..<file.count), as: UTF8.self) else {
            throw DataError(.table, path, expected: "UTF-8", found: "bytes that are not")
        }
        if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
        let isJSON = text.first { !$0.isWhitespace } == "{"
        rows = isJSON ? try Self.jsonRows(text, path, columns) : try Self.csvRows(text, path, columns)
        var rowOfID: [[UInt8]: Int] = [:]
        for (index, row) in rows.enumerated() {
            if let first = rowOfID.updateValue(index, forKey: row.id.idBytes) {
                throw DataError(
                    .table, path, "row \(row.number)", expected: "an id of its own",
                    found: "\(row.id), as in row \(rows[first].number)")
            }
        }
        self.rowOfID = rowOfID
    }

    private static func csvRows(_ text: String, _ path: String, _ columns: Columns) throws(DataError) -> [Row]
    {
        let table: CSV<Enumerated>
        // An open one would swallow the rest of the file.
        guard text.utf8.count(where: { $0 == UInt8(ascii: "\"") }).isMultiple(of: 2) else {
            throw DataError(
                .table, path, expected: "comma-separated values with quotation marks in pairs",
                found: "one that is left open")
        }
        do {
            table = try CSV<Enumerated>(string: text, loadColumns: false)
        } catch {
            let isList = text.first { !$0.isWhitespace } == "["
            throw DataError(
                .table, path, expected: "comma-separated values, or JSON lines: an object a line",
                found: isList ? "a list" : "text beside a field's quotation marks")
        }
        func column(_ name: String, _ option: String, isRequired: Bool = true) throws(DataError) -> Int? {
            let places = table.header.indices.filter { table.header[$0] == name }
            guard places.count <= 1, places.count == 1 || !isRequired else {
                throw DataError(
                    .table, path, "the header",
                    expected: "one column \(name) (--\(option) for another)",
                    found: !places.isEmpty
                        ? "\(places.count)"
                        : table.header.isEmpty ? "an empty file" : table.header.joined(separator: ", "))
            }
            return places.first
        }
        let id = try column(columns.id, "id-column")!
        let label = try column(columns.label, "label-column")!
        let group = try column(columns.groupName, "group-column", isRequired: columns.group != nil)
        func trimmed(_ field: String) -> String? {
            let text = field.trimmingCharacters(in: .whitespaces)
            return text.isEmpty ? nil : text
        }
        var rows: [Row] = []
        for (index, fields) in table.rows.enumerated() {
            if fields.allSatisfy(\.isEmpty) { continue }
            guard fields.count == table.header.count else {
                throw DataError(
                    .table, path, "row \(index + 2)",
                    expected: "\(table.header.count) fields as in the header",
                    found: "\(fields.count)")
            }
            rows.append(
                Row(
                    id: fields[id], label: trimmed(fields[label]).map(LabelValue.text),
                    group: group.flatMap { trimmed(fields[$0]) }, number: index + 2))
        }
        return rows
    }

    private static func jsonRows(_ text: String, _ path: String, _ columns: Columns) throws(DataError)
        -> [Row]
    {
        var rows: [Row] = []
        // By bytes: the two that end a line elsewhere are one character. JSON takes the first for a blank.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.map(Substring.init).enumerated()
        where line.contains(where: { !$0.isWhitespace }) {
            func fault(_ expected: String, _ found: String) -> DataError {
                DataError(.table, path, "line \(index + 1)", expected: expected, found: found)
            }
            guard let value = try? JSONDecoder().decode([String: LabelValue?].self, from: Data(line.utf8))
            else {
                throw fault(
                    "a JSON object of names and texts, numbers or lists of these", String(line.prefix(60)))
            }
            guard case .text(let id)?? = value[columns.id] else {
                throw fault(
                    "an id in \(columns.id) (--id-column for another)",
                    value.keys.sorted().joined(separator: ", "))
            }
            guard let label = value[columns.label] else {
                throw fault(
                    "a label in \(columns.label) (--label-column for another)",
                    value.keys.sorted().joined(separator: ", "))
            }
            var group: String?
            if case .text(let text)?? = value[columns.groupName] { group = text }
            rows.append(Row(id: id, label: label, group: group, number: index + 1))
        }
        if let name = columns.group, rows.allSatisfy({ $0.group == nil }) {
            throw DataError(
                .table, path, expected: "a text or number in \(name) (--group-column for another)",
                found: "none in any line")
        }
        return rows
    }
}

/// One label as it stands in a table; numbers are texts too.
enum LabelValue: Decodable, Sendable, Equatable {
    case text(String)
    case names([String])
    case numbers([Double])
    /// Something that is no label, in a column that nobody reads.
    case other

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let flag = try? value.decode(Bool.self) {
            self = .text(flag ? "1" : "0")
        } else if let number = try? value.decode(Int.self) {
            self = .text(String(number))
        } else if let number = try? value.decode(UInt64.self) {
            self = .text(String(number))
        } else if let number = try? value.decode(Double.self) {
            self = .text("\(number)")
        } else if let numbers = try? value.decode([Double].self) {
            self = .numbers(numbers)
        } else if let names = try? value.decode([String].self) {
            self = .names(names)
        } else {
            self = .other
        }
    }
}
