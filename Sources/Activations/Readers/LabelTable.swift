// Labels beside the data, by sequence id: CSV (RFC 4180, also with semicolons or tabs) with a header, or one
// JSON object a line. `id` and `label` name the columns unless others are given; `group` may be there.
//
//     id,label,group             {"id": "cmpl-1", "label": "yes"}
//     cmpl-1,yes,7               {"id": "cmpl-2", "label": ["a", "c"]}
//
// What labels are is read off all of the table, and off the task that they are for (`LabelJoin.swift`). A JSON label may
// be a list: of names for several labels, of numbers for several values. In CSV blanks at the ends of labels and groups
// do not count.
private import Tensors
import Storage

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
        /// What option named the groups, for errors.
        package var groupOption = "group-column"
        /// Whether rows stand in the order of the sequences, one for each, in place of ids.
        public var areInOrder = false
        /// `id`, `label`, nil and false.
        public init() {}

        fileprivate var groupName: String { group ?? "group" }
    }

    struct Row: Sendable {
        let id: String
        /// nil where there is none: an empty field, null.
        let label: LabelValue?
        let group: String?
        /// How many tokens stand before the reply, as it is written; nil where nothing says it.
        let promptLength: String?
        /// Which row of the file, counted from 1 with the header.
        let number: Int
    }

    /// The file.
    package let path: String
    let rows: [Row]
    /// The row of an id's bytes.
    let rowOfID: [[UInt8]: Int]
    /// Whether it must have labels.
    let needsLabels: Bool
    /// Whether rows are in the order of the sequences; their ids are their numbers from 0 on then.
    let isInOrder: Bool

    /// Reads a table, from a file or to the end of a pipe; "-" is standard input.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it is no CSV or JSON lines, a column
    ///   is missing or there twice, or an id is.
    public init(path: String, columns: Columns = Columns()) throws {
        try self.init(path: path, columns: columns, needsLabels: true)
    }

    init(path: String, columns: Columns, needsLabels: Bool) throws {
        let file = try Self.bytes(path)
        let path = file.path
        (self.path, self.needsLabels, isInOrder) = (path, needsLabels, columns.areInOrder)
        guard var text = String(validating: file.bytes(0..<file.count), as: UTF8.self) else {
            throw DataError(.table, path, expected: "UTF-8", found: "bytes that are not")
        }
        if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
        let isJSON = text.first { !$0.isWhitespace } == "{"
        rows =
            isJSON
            ? try Self.jsonRows(text, path, columns, needsLabels)
            : try Self.csvRows(text, path, columns, needsLabels)
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

    // A table that is there and is none breaks a rule; one that is not there is a missing input.
    private static func bytes(_ path: String) throws -> ByteSource {
        do {
            return try ByteSource.whole(path)
        } catch  where error.isOfOtherKind {
            throw DataError(
                .table, path, expected: "a file or a pipe with comma-separated values or JSON lines",
                found: isFolder(path) ? "a folder" : "a device")
        }
    }

    private static func csvRows(_ text: String, _ path: String, _ columns: Columns, _ needsLabels: Bool)
        throws(DataError) -> [Row]
    {
        let table: [[String]]
        do {
            table = try DelimitedText(text.utf8).rows
        } catch .openQuotation {
            throw DataError(
                .table, path, expected: "comma-separated values with quotation marks in pairs",
                found: "one that is left open")
        } catch {
            let isList = text.first { !$0.isWhitespace } == "["
            throw DataError(
                .table, path, expected: "comma-separated values, or JSON lines: an object a line",
                found: isList ? "a list" : "text beside a field's quotation marks")
        }
        let header = table.first ?? []
        func column(_ name: String, _ option: String, isRequired: Bool = true) throws(DataError) -> Int? {
            let places = header.indices.filter { header[$0] == name }
            guard places.count <= 1, places.count == 1 || !isRequired else {
                throw DataError(
                    .table, path, "the header",
                    expected: "one column \(name) (--\(option) for another)",
                    found: !places.isEmpty
                        ? "\(places.count)"
                        : header.isEmpty ? "an empty file" : header.joined(separator: ", "))
            }
            return places.first
        }
        let id = columns.areInOrder ? nil : try column(columns.id, "id-column")!
        let label = try column(columns.label, "label-column", isRequired: needsLabels)
        let group = try column(columns.groupName, columns.groupOption, isRequired: columns.group != nil)
        let promptLength = header.firstIndex(of: promptLengthColumn)
        func trimmed(_ field: String) -> String? {
            let text = field.trimmingBlanks
            return text.isEmpty ? nil : text
        }
        var rows: [Row] = []
        for (index, fields) in table.dropFirst().enumerated() {
            if fields.allSatisfy(\.isEmpty) { continue }
            guard fields.count == header.count else {
                throw DataError(
                    .table, path, "row \(index + 2)",
                    expected: "\(header.count) fields as in the header",
                    found: "\(fields.count)")
            }
            rows.append(
                Row(
                    id: id.map { fields[$0] } ?? String(rows.count),
                    label: label.flatMap { trimmed(fields[$0]) }.map(LabelValue.text),
                    group: group.flatMap { trimmed(fields[$0]) },
                    promptLength: promptLength.flatMap { trimmed(fields[$0]) }, number: index + 2))
        }
        return rows
    }

    private static func jsonRows(_ text: String, _ path: String, _ columns: Columns, _ needsLabels: Bool)
        throws(DataError) -> [Row]
    {
        var rows: [Row] = []
        // By bytes: the two that end a line elsewhere are one character. JSON takes the first for a blank.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.map(Substring.init).enumerated()
        where line.contains(where: { !$0.isWhitespace }) {
            func fault(_ expected: String, _ found: String) -> DataError {
                DataError(.table, path, "line \(index + 1)", expected: expected, found: found)
            }
            let object = "a JSON object of names and texts, numbers or lists of these"
            let value: [String: JSONValue]
            do {
                guard case .object(let fields) = try JSONValue(line.utf8) else {
                    throw fault(object, String(line.prefix(60)))
                }
                value = fields
            } catch let found as JSONValue.Fault {
                throw fault(object, Self.excerpt(of: line, around: found.place))
            } catch {
                throw error as! DataError
            }
            func field(_ name: String, _ what: String, _ option: String) throws(DataError) -> JSONValue {
                guard let field = value[name] else {
                    throw fault(
                        "\(what) in \(name) (--\(option) for another)",
                        value.keys.sorted().joined(separator: ", "))
                }
                return field
            }
            var id = String(rows.count)
            if !columns.areInOrder {
                let name = try field(columns.id, "an id", "id-column")
                guard case .text(let text) = LabelValue(name) else {
                    throw fault("a text or number in \(columns.id) (--id-column for another)", "no such id")
                }
                id = text
                if case .number = name, id.hasSuffix(".0") { id.removeLast(2) }
            }
            let label =
                needsLabels ? LabelValue(try field(columns.label, "a label", "label-column")) : nil
            var group: String?
            if case .text(let text)? = value[columns.groupName].flatMap(LabelValue.init) { group = text }
            let promptLength = value[promptLengthColumn].flatMap(LabelValue.init)?.text
            rows.append(
                Row(id: id, label: label, group: group, promptLength: promptLength, number: index + 1))
        }
        if let name = columns.group, rows.allSatisfy({ $0.group == nil }) {
            throw DataError(
                .table, path, expected: "a text or number in \(name) (--\(columns.groupOption) for another)",
                found: "none in any line")
        }
        return rows
    }

    // What stands in a line where it is no JSON: a part of it around the place.
    private static func excerpt(of line: Substring, around place: Int) -> String {
        guard place > 40 else { return String(line.prefix(60)) }
        return "… " + String(decoding: line.utf8.dropFirst(place - 30).prefix(60), as: UTF8.self)
    }
}

extension String {
    /// The text without blanks at its ends.
    fileprivate var trimmingBlanks: String {
        let start = drop(while: \.isWhitespace)
        return String(start.prefix(start.count - start.reversed().prefix(while: \.isWhitespace).count))
    }
}
