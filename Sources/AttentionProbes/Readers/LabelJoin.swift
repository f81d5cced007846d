// What the labels of a table (`LabelTable.swift`) are to a set.
private import Foundation
private import Tensors

/// A set with labels from a table.
public struct LabelJoin: Sendable {
    /// The sequences that have a label.
    public let set: ActivationSet
    /// Ids of sequences without one, which were left out.
    public let unlabelled: [String]
    /// Ids in the table that no sequence has.
    public let unused: [String]
    /// Ids in the table that several sequences have, all of which got the one label.
    public let shared: [String]
}

extension ActivationSet {
    /// Takes labels and, where the table has them, groups from a table. Sequences without a label are left
    /// out. O(N + rows).
    ///
    /// - Parameter classes: the classes that names of labels must be of; nil for those of the files if they
    ///   fit, else those of the whole table in the order of names.
    /// - Throws: `DataError` where no sequence has a label, or a label is not what the others are.
    public func labelled(by table: LabelTable, classes: [String]? = nil) throws(DataError) -> LabelJoin {
        var chosen: [Int] = []
        var rows: [Int] = []
        var unlabelled: [String] = []
        var sequencesOfRow: [Int: Int] = [:]
        for index in indices {
            let id = id(index)
            let row = table.rowOfID[id.idBytes]
            if let row { sequencesOfRow[row, default: 0] += 1 }
            guard let row, table.rows[row].label != nil else {
                unlabelled.append(id)
                continue
            }
            chosen.append(index)
            rows.append(row)
        }
        guard !chosen.isEmpty else {
            throw DataError(
                .table, table.path,
                expected: "labels for the sequences, as \(unlabelled.prefix(3).formatted)",
                found:
                    "none; it has \(table.rows.isEmpty ? "no rows" : "\(table.rows.prefix(3).map(\.id).formatted)")"
            )
        }
        let (targets, names) = try table.targets(rows, classes ?? files[0].classes, areFixed: classes != nil)
        var groups = groups.map { groups in chosen.map { groups[$0] } }
        if table.rows.contains(where: { $0.group != nil }) { groups = table.groups(rows) }
        return LabelJoin(
            set: ActivationSet(self, selecting: chosen, targets: targets, classes: names, groups: groups),
            unlabelled: unlabelled,
            unused: table.rows.indices.filter { sequencesOfRow[$0] == nil }.map { table.rows[$0].id },
            shared: table.rows.indices.filter { sequencesOfRow[$0, default: 0] > 1 }.map { table.rows[$0].id }
        )
    }
}

extension LabelTable {
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

    // What the labels of some rows are, read in the light of all.
    fileprivate func targets(_ rows: [Int], _ known: [String]?, areFixed: Bool) throws(DataError) -> (
        Targets, [String]?
    ) {
        let labels = self.rows.compactMap { row in row.label.map { (row: row.number, label: $0) } }
        func fault(_ row: Int, _ expected: String, _ found: String) -> DataError {
            DataError(.labels, path, "row \(row)", expected: expected, found: found)
        }
        func chosen<T>(_ value: (LabelValue) -> T) -> [T] { rows.map { value(self.rows[$0].label!) } }
        // Several labels or values a sequence.
        if let first = labels.first(where: { $0.label.areNames }) {
            let all = Set(labels.flatMap { $0.label.names ?? [] })
            if let bad = labels.first(where: { $0.label.names == nil }) {
                throw fault(bad.row, "a list of names as in row \(first.row)", "another label")
            }
            let names = known.flatMap { all.isSubset(of: $0) ? $0 : nil } ?? all.sorted()
            let values = chosen { label in names.map { label.names!.contains($0) ? Float(1) : 0 } }
            return (
                .values(Matrix(rows: rows.count, columns: names.count, storage: Array(values.joined()))),
                names
            )
        }
        if case .numbers(let first) = labels[0].label {
            if let bad = labels.first(where: { $0.label.numbers?.count != first.count || first.isEmpty }) {
                throw fault(bad.row, "a list of \(max(first.count, 1)) numbers", "another label")
            }
            if let bad = labels.first(where: { !$0.label.numbers!.allSatisfy { Float($0).isFinite } }) {
                throw fault(bad.row, "numbers that F32 can hold", "\(bad.label.numbers!)")
            }
            let values = chosen { $0.numbers!.map { Float($0) } }
            return (
                .values(Matrix(rows: rows.count, columns: first.count, storage: Array(values.joined()))),
                known
            )
        }
        if let bad = labels.first(where: { $0.label.text == nil }) {
            throw fault(bad.row, "a text or number as in row \(labels[0].row)", "another label")
        }
        let texts = labels.map { $0.label.text! }
        if let known, Set(texts).isSubset(of: known) {
            return (.classes(chosen { known.firstIndex(of: $0.text!)! }), known)
        }
        let areBits = texts.allSatisfy { Float($0) == 0 || Float($0) == 1 }
        func index(_ text: String) -> Int? { areBits ? Int(Float(text)!) : Int(text) }
        let indices = texts.map(index)
        if indices.allSatisfy({ $0.map { (0..<Targets.mostClasses).contains($0) } ?? false }) {
            if let known, let bad = indices.firstIndex(where: { $0! >= known.count }) {
                throw fault(labels[bad].row, "a class from 0 to \(known.count - 1)", texts[bad])
            }
            return (.classes(chosen { index($0.text!)! }), known)
        }
        if !areFixed || known == nil, texts.allSatisfy({ Float($0) != nil }) {
            if let bad = texts.firstIndex(where: { !Float($0)!.isFinite }) {
                throw fault(labels[bad].row, "a number that F32 can hold", texts[bad])
            }
            return (.values(Matrix(rows: rows.count, columns: 1, storage: chosen { Float($0.text!)! })), nil)
        }
        if areFixed, let known, let bad = texts.firstIndex(where: { !known.contains($0) }) {
            throw fault(labels[bad].row, known.formatted, texts[bad])
        }
        let names = Set(texts).sorted()
        guard names.count <= Targets.mostClasses else {
            throw fault(labels[0].row, "at most \(Targets.mostClasses) classes", "\(names.count)")
        }
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        return (.classes(chosen { numbers[$0.text!]! }), names)
    }
}

extension LabelValue {
    fileprivate var text: String? { if case .text(let text) = self { text } else { nil } }
    fileprivate var areNames: Bool { if case .names = self { true } else { false } }
    // An empty list, which was read as one of numbers, is also one of names.
    fileprivate var names: [String]? {
        switch self {
        case .names(let names): names
        case .numbers(let numbers) where numbers.isEmpty: []
        default: nil
        }
    }
    fileprivate var numbers: [Double]? { if case .numbers(let numbers) = self { numbers } else { nil } }
}

extension Collection<String> {
    fileprivate var formatted: String { joined(separator: ", ") }
}
