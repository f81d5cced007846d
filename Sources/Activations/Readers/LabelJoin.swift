// What the labels of a table (`LabelTable.swift`) are to a set: all texts that are numbers are numbers, whole ones classes
// unless they are to be predicted, anything else names of classes. Floats are values to predict, but 0.0 and 1.0, or
// -1.0 and 1.0, classes as 0 and 1 are.
private import Tensors

/// A set with labels from a table.
public struct LabelJoin: Sendable {
    /// The sequences that have a label.
    public let set: ActivationSet
    /// Ids of sequences without one, which were left out.
    public let unlabelled: [String]
    /// What the table has in place of a label for some of these, as NA.
    public let missing: [String]
    /// Ids in the table that no sequence has, also none that was left out.
    public let unused: [String]
    /// Ids in the table that several sequences have, all of which got the one label.
    public let shared: [String]
}

extension ActivationSet {
    /// Takes labels and, where the table has them, groups from a table. Sequences without a label are left
    /// out. O(N + rows).
    ///
    /// - Parameter task: what the labels are for, which names are to be of: a probe's task. nil for any: names are then
    ///   those of the files' classes if they fit, else those that occur, in their order.
    /// - Throws: `DataError` where no sequence has a label, or a label is not what the others are.
    public func labelled(by table: LabelTable, for task: ProbeTask? = nil) throws(DataError) -> LabelJoin {
        try checkIDsAreKnown()
        try table.checkOrder(of: self)
        let reading = LabelReading(table, task, own: task?.hasClasses == false ? nil : files[0].classes)
        var chosen: [Int] = []
        var rows: [Int] = []
        var unlabelled: [String] = []
        var missing: Set<String> = []
        var sequencesOfRow: [Int: Int] = [:]
        for index in indices {
            let id = id(index)
            let row = table.row(of: index, in: self)
            if let row { sequencesOfRow[row, default: 0] += 1 }
            guard let row, reading.labels[row] != nil else {
                unlabelled.append(id)
                if let row {
                    missing.insert(table.rows[row].label?.text.flatMap { $0.isEmpty ? nil : $0 } ?? "nothing")
                }
                continue
            }
            chosen.append(index)
            rows.append(row)
        }
        guard !chosen.isEmpty else {
            throw DataError(
                .table, table.path,
                expected: "labels for the sequences, as \(unlabelled.prefix(3).formatted)",
                found: missing.isEmpty
                    ? "none; it has \(table.rows.isEmpty ? "no rows" : table.rows.prefix(3).map(\.id).formatted)"
                        + pooledHint(table)
                    : "\(missing.sorted().formatted) in all \(sequencesOfRow.count) rows that are theirs")
        }
        let (targets, names) = try reading.targets(rows)
        let leftOut = Set(leftOut.ids.map(\.idBytes))
        var groups = groups.map { groups in chosen.map { groups[$0] } }
        if table.rows.contains(where: { $0.group != nil }) { groups = table.groups(rows) }
        return LabelJoin(
            set: ActivationSet(
                self, selecting: chosen, targets: targets, classes: names, groups: groups,
                labelTable: table.path),
            unlabelled: unlabelled, missing: missing.subtracting(["nothing"]).sorted(),
            unused: table.rows.indices.filter { sequencesOfRow[$0] == nil }.map { table.rows[$0].id }
                .filter { !leftOut.contains($0.idBytes) },
            shared: table.rows.indices.filter { sequencesOfRow[$0, default: 0] > 1 }.map { table.rows[$0].id }
        )
    }

    // A matrix alone is one sequence, also where the table has a label for each of its rows.
    private func pooledHint(_ table: LabelTable) -> String {
        let form = files[0].form
        guard files.count == 1, form.isOneSequence, !form.holdsSeveralLayers,
            tokenCount == table.rows.count, tokenCount > 1
        else { return "" }
        return
            "; the data are one sequence of \(tokenCount) tokens (--pooled where each row is a sequence, called by its "
            + "number from 0 on)"
    }
}

extension LabelTable {
    /// The row of a sequence, by its id or where rows are in order by its number; nil where there is none.
    func row(of index: Int, in data: ActivationSet) -> Int? {
        isInOrder ? data.number(index) : rowOfID[data.id(index).idBytes]
    }

    /// Checks that there is a row for each sequence of a set's files, where rows are in their order.
    ///
    /// - Throws: `DataError` where there are more or fewer, or a file was left out.
    func checkOrder(of data: ActivationSet) throws(DataError) {
        guard isInOrder else { return }
        if let left = data.leftOut.files.first {
            throw DataError(
                .table, path, expected: "ids, since \(left) was left out and its sequences are not counted",
                found: "rows in the order of the sequences")
        }
        let count = data.files.reduce(0) { $0 + $1.batch.count }
        guard rows.count == count else {
            throw DataError(
                .table, path, expected: "\(count) rows, one for each sequence in their order",
                found: "\(rows.count)")
        }
    }

    /// The name that the group column has for each sequence; nil where it has none.
    package func groupNames(of data: ActivationSet) -> [String?] {
        data.indices.map { row(of: $0, in: data).flatMap { rows[$0].group } }
    }

    // A number for every group; a row without one is its own.
    fileprivate func groups(_ rows: [Int]) -> [Int] {
        var numbers: [String: Int] = [:]
        return rows.enumerated().map { index, row in
            guard let group = self.rows[row].group else { return -1 - index }
            if let number = numbers[group] { return number }
            numbers[group] = numbers.count
            return numbers.count - 1
        }
    }
}

extension ProbeTask {
    fileprivate var hasClasses: Bool { classes != nil }
}

extension Collection<String> {
    fileprivate var formatted: String { joined(separator: ", ") }
}
