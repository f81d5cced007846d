// The rows of a file of scores, as `ScoreWriter` writes them and as other programs may: JSON lines, CSV or safetensors.
import Activations
import Storage
import Tensors

/// What a file of scores says of each sequence.
struct ScoreTable {
    /// A predicted class.
    enum Label {
        /// There are none: numbers are predicted.
        case none
        case name(String)
        /// All classes that are present.
        case names([String])
    }

    struct Row {
        let id: String
        let logits, probabilities: [Float]
        let label: Label
    }

    let path: String
    private(set) var rows: [Row] = []
    /// Names of the outputs, where the file has them.
    private(set) var outputs: [String]?

    /// Whether the first line of a file is one of scores. Safetensors are told by their metadata.
    static func isScores(_ path: String) throws -> Bool {
        guard !isFolder(path) else { return false }
        let file = try ByteSource(path: path)
        if isText(file) {
            let start = String(decoding: file.bytes(0..<min(1 << 20, file.count)), as: UTF8.self)
            return start.prefix { !$0.isNewline }.contains("logit")
        }
        let isProbeOrData = try? Safetensors.open(file).metadata["format"]
        return isProbeOrData == "attention-probes/scores"
    }

    private static func isText(_ file: ByteSource) -> Bool {
        let start = file.bytes(0..<min(3, file.count))
        return start.first == UInt8(ascii: "{") || start.starts(with: Array("id".utf8))
            || start == [0xEF, 0xBB, 0xBF]
    }

    /// Reads a file.
    ///
    /// - Parameter name: the probe to take where a file has the scores of several; nil where it may have only one.
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it is no such file, or of other probes.
    init(path: String, probe name: String?) throws {
        self.path = path
        let file = try ByteSource(path: path)
        if Self.isText(file) {
            guard var text = String(validating: file.bytes(0..<file.count), as: UTF8.self) else {
                throw DataError(.table, path, expected: "UTF-8", found: "bytes that are not")
            }
            if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
            if text.hasPrefix("{") { try readJSON(text, name) } else { try readCSV(text, name) }
        } else {
            try readTensors(Safetensors.open(file), name)
        }
        guard let first = rows.first else {
            throw DataError(.table, path, expected: "the scores of a sequence", found: "none")
        }
        for (number, row) in rows.enumerated() {
            guard row.logits.count == first.logits.count, !row.logits.isEmpty else {
                throw fault(
                    number, "as many outputs as the first row has, \(first.logits.count)",
                    "\(row.logits.count)")
            }
            guard row.probabilities.isEmpty || row.probabilities.count == row.logits.count else {
                throw fault(number, "\(row.logits.count) probabilities", "\(row.probabilities.count)")
            }
            guard row.logits.allSatisfy(\.isFinite) else { throw fault(number, "finite outputs", "others") }
            guard row.probabilities.allSatisfy({ (0...1).contains($0) }) else {
                throw fault(number, "probabilities from 0 to 1", "others")
            }
        }
    }

    /// An error about a sequence.
    func fault(_ row: Int, _ expected: String, _ found: String) -> DataError {
        DataError(.table, path, "sequence \(row)", expected: expected, found: found)
    }

    // Of several probes the one that is asked for, else the only one.
    private func choice(_ names: [String], _ wanted: String?) throws(DataError) -> String {
        if let wanted, names.contains(wanted) { return wanted }
        guard names.count == 1 else {
            let list = names.sorted().joined(separator: ", ")
            throw DataError(
                .mismatch, path,
                expected: wanted.map { "scores of \($0)" }
                    ?? "scores of one probe, or that probe's file before them",
                found: "those of \(list)")
        }
        return names[0]
    }

    private mutating func readJSON(_ text: String, _ name: String?) throws {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"))
        var chosen: String?
        for (number, line) in lines.enumerated() {
            guard case .object(let all)? = try? JSONValue(line), case .string(let id)? = all["id"] else {
                throw DataError(
                    .table, path, "line \(number + 1)",
                    expected: "a JSON object with id, logits and probabilities",
                    found: String(Substring(line).prefix(60)))
            }
            var fields = all
            if case .object(let probes)? = all["probes"] {
                chosen = try chosen ?? choice(Array(probes.keys), name)
                guard case .object(let own)? = probes[chosen!] else {
                    throw DataError(
                        .table, path, "line \(number + 1)", expected: "scores of \(chosen!)", found: "none")
                }
                fields = own
            }
            guard let logits = fields["logits"].flatMap(Self.numbers),
                let probabilities = Self.numbers(fields["probabilities"] ?? .array([]))
            else {
                throw DataError(
                    .table, path, "line \(number + 1)",
                    expected: "lists of numbers in logits and probabilities",
                    found: fields.keys.sorted().joined(separator: ", "))
            }
            rows.append(
                Row(id: id, logits: logits, probabilities: probabilities, label: Self.label(fields["label"])))
        }
    }

    private static func numbers(_ value: JSONValue) -> [Float]? {
        guard case .array(let values) = value else { return nil }
        let numbers = values.compactMap { value -> Float? in
            guard case .number(let text) = value else { return nil }
            return Float(text)
        }
        return numbers.count == values.count ? numbers : nil
    }

    private static func label(_ value: JSONValue?) -> Label {
        switch value {
        case .string(let name): .name(name)
        case .array(let values):
            .names(
                values.compactMap { value in
                    if case .string(let name) = value { name } else { nil }
                })
        default: .none
        }
    }

    private mutating func readCSV(_ text: String, _ name: String?) throws {
        guard let table = try? DelimitedText(text.utf8).rows, let header = table.first,
            let id = header.firstIndex(of: "id")
        else {
            throw DataError(
                .table, path, "the header", expected: "the columns id, logit, probability and label",
                found: "others")
        }
        // "NAME.logit" where there are several probes; a name may have points.
        let prefixes = Set(
            header.compactMap { column in
                column.firstRange(of: "logit").map { String(column[..<$0.lowerBound]) }
            }.filter { $0.isEmpty || $0.hasSuffix(".") })
        let prefix: String
        if prefixes.contains("") {
            prefix = ""
        } else {
            prefix = try choice(prefixes.map { String($0.dropLast()) }, name) + "."
        }
        func columns(_ kind: String) -> [(place: Int, name: String)] {
            header.indices.compactMap { place in
                guard header[place].hasPrefix(prefix + kind) else { return nil }
                let rest = header[place].dropFirst(prefix.count + kind.count)
                return rest.isEmpty
                    ? (place, "") : rest.hasPrefix("_") ? (place, String(rest.dropFirst())) : nil
            }
        }
        let (logits, probabilities) = (columns("logit"), columns("probability"))
        let label = header.firstIndex(of: prefix + "label")
        if logits.count > 1 { outputs = logits.map(\.name) }
        let isMultilabel = logits.count > 1 && Self.areSeveral(table.dropFirst(), probabilities.map(\.place))
        for (number, fields) in table.dropFirst().enumerated() where fields.contains(where: { !$0.isEmpty }) {
            guard fields.count == header.count else {
                throw DataError(
                    .table, path, "row \(number + 2)", expected: "\(header.count) fields as in the header",
                    found: "\(fields.count)")
            }
            func numbers(_ columns: [(place: Int, name: String)]) throws(DataError) -> [Float] {
                var numbers: [Float] = []
                for column in columns {
                    guard let number = Float(fields[column.place]) else {
                        throw DataError(
                            .table, path, "row \(number + 2), column \(header[column.place])",
                            expected: "a number", found: fields[column.place])
                    }
                    numbers.append(number)
                }
                return numbers
            }
            let text = label.map { fields[$0] }
            rows.append(
                Row(
                    id: fields[id], logits: try numbers(logits), probabilities: try numbers(probabilities),
                    label: text.map {
                        isMultilabel ? .names($0.split(separator: ";").map(String.init)) : .name($0)
                    } ?? .none))
        }
    }

    // Whether probabilities of a row are of several labels: those of classes that exclude one another have the sum 1.
    private static func areSeveral(_ rows: ArraySlice<[String]>, _ columns: [Int]) -> Bool {
        rows.contains { fields in
            let values = columns.compactMap { $0 < fields.count ? Float(fields[$0]) : nil }
            return values.count == columns.count && abs(values.reduce(0, +) - 1) > 1e-3
        }
    }

    private mutating func readTensors(_ file: TensorFile, _ name: String?) throws {
        let names = file.tensors.names.filter { $0 == "logits" || $0.hasSuffix(".logits") }
        let prefix =
            names.contains("logits")
            ? "" : try choice(names.map { String($0.dropLast(".logits".count)) }, name) + "."
        let logits = try file.require(prefix + "logits", types: ["F32"], dimensions: 2)
        let (count, width) = (logits.shape[0], logits.shape[1])
        let probabilities = try file.optional(prefix + "probabilities", types: ["F32"], shape: logits.shape)
        let ids = try file.texts("sequence_ids", count: count)
        let classes = file.metadata[prefix + "classes"].flatMap(JSONList.decode)
        let task = file.metadata[prefix + "task"]
        if width > 1 || task == "multilabel" { outputs = classes }
        let labels = try file.optional(
            prefix + "labels", types: ["I64"], shape: task == "multilabel" ? [count, width] : [count]
        ).map(file.integers)
        let (values, p) = (file.floats(logits), probabilities.map(file.floats) ?? [])
        for i in 0..<count {
            let own = i * width..<(i + 1) * width
            let label: Label
            if let classes, let labels, task == "multilabel" {
                label = .names(own.filter { labels[$0] == 1 }.map { classes[$0 - own.lowerBound] })
            } else if let classes, let labels {
                guard classes.indices.contains(labels[i]) else {
                    throw fault(i, "a label from 0 to \(classes.count - 1)", "\(labels[i])")
                }
                label = .name(classes[labels[i]])
            } else {
                label = .none
            }
            rows.append(
                Row(
                    id: ids[i], logits: Array(values[own]), probabilities: p.isEmpty ? [] : Array(p[own]),
                    label: label))
        }
    }
}
