// How many tokens of each sequence stand before the reply, as a table says it in a column `prompt_length`.

extension LabelTable {
    /// The column.
    static let promptLengthColumn = "prompt_length"

    /// Reads a table of the lengths of prompts, which needs no labels.
    ///
    /// - Throws: as `init(path:columns:)`.
    package init(promptLengths path: String, idColumn: String?) throws {
        var columns = Columns()
        columns.id = idColumn ?? columns.id
        try self.init(path: path, columns: columns, needsLabels: false)
    }

    /// Whether there is a column of them.
    package var hasPromptLengths: Bool { rows.contains { $0.promptLength != nil } }

    /// The number for each sequence of a set; nil for those that are to have a label of this table and have none, which
    /// are left out anyway.
    ///
    /// - Throws: `DataError` where there is no such column, a sequence has no number, or one is none.
    package func promptLengths(of data: ActivationSet) throws(DataError) -> [Int?] {
        try data.checkIDsAreKnown()
        try checkOrder(of: data)
        guard hasPromptLengths else {
            throw DataError(
                .table, path, expected: "a column \(Self.promptLengthColumn), which --mask reply goes by",
                found: "none")
        }
        var lengths: [Int?] = []
        for index in data.indices {
            let id = data.id(index)
            let row = row(of: index, in: data).map { rows[$0] }
            guard let text = row?.promptLength else {
                guard needsLabels, row?.label == nil else {
                    throw DataError(
                        .table, path, row.map { "row \($0.number)" },
                        expected: "a \(Self.promptLengthColumn) of \(id)", found: "none")
                }
                lengths.append(nil)
                continue
            }
            // Tables with gaps often write whole numbers with a point.
            guard let length = Double(text).flatMap({ Int(exactly: $0) }), length >= 0 else {
                throw DataError(
                    .table, path, "row \(row!.number)",
                    expected: "a whole number from 0 in \(Self.promptLengthColumn)", found: text)
            }
            lengths.append(length)
        }
        return lengths
    }
}
