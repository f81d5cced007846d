// The labels of a table's rows as targets: what they are is read in the light of all rows, and of what they are for.
private import Tensors
import Storage

struct LabelReading {
    /// The label of each row; nil where it is missing.
    let labels: [LabelValue?]
    private let table: LabelTable
    private let task: ProbeTask?
    // Classes of the files, which numbers are indices of.
    private let own: [String]?

    init(_ table: LabelTable, _ task: ProbeTask?, own: [String]?) {
        (self.table, self.task, self.own) = (table, task, own)
        let classes = task?.classes ?? own
        labels = table.rows.map { row in row.label?.missing(besides: classes) == nil ? row.label : nil }
    }

    private func fault(_ row: Int, _ expected: String, _ found: String) -> DataError {
        DataError(.labels, table.path, "row \(table.rows[row].number)", expected: expected, found: found)
    }

    /// What some rows, which have a label, are labelled with, and the names of classes that indices are of.
    func targets(_ rows: [Int]) throws(DataError) -> (Targets, [String]?) {
        let all = labels.indices.filter { labels[$0] != nil }
        if let first = all.first(where: { labels[$0]!.names != nil }) { return try names(rows, all, first) }
        if let count = labels[all[0]]!.numbers?.count { return try numbers(rows, all, count) }
        if let bad = all.first(where: { labels[$0]!.text == nil }) {
            throw fault(bad, "a text or number as in row \(table.rows[all[0]].number)", "another label")
        }
        return try texts(rows, all)
    }

    // Several labels a sequence, by name.
    private func names(_ rows: [Int], _ all: [Int], _ first: Int) throws(DataError) -> (Targets, [String]?) {
        if let bad = all.first(where: { labels[$0]!.names == nil }) {
            throw fault(bad, "a list of names as in row \(table.rows[first].number)", "another label")
        }
        let found = Set(rows.flatMap { labels[$0]!.names! })
        var names = own.flatMap { found.isSubset(of: $0) ? $0 : nil } ?? found.sorted()
        if case .multilabel(let classes) = task {
            names = classes
            for row in rows {
                guard let bad = labels[row]!.names!.first(where: { !classes.contains($0) }) else { continue }
                throw fault(row, "names among \(classes.formatted)", bad)
            }
        }
        guard !names.isEmpty else { throw fault(rows[0], "a name in one list at least", "only empty lists") }
        guard names.count <= Targets.mostClasses else { throw tooMany(rows[0], names) }
        let places = Self.places(names)
        var values = Matrix(rows: rows.count, columns: names.count)
        for (index, row) in rows.enumerated() {
            for name in labels[row]!.names! { values[index, places[name]!] = 1 }
        }
        return (.values(values), names)
    }

    // Several numbers a sequence.
    private func numbers(_ rows: [Int], _ all: [Int], _ count: Int) throws(DataError) -> (Targets, [String]?)
    {
        if let bad = all.first(where: { labels[$0]!.numbers?.count != count }) {
            throw fault(bad, "a list of \(count) numbers", "another label")
        }
        if let bad = all.first(where: { !labels[$0]!.numbers!.allSatisfy { Float($0).isFinite } }) {
            throw fault(bad, "numbers that F32 can hold", "\(labels[bad]!.numbers!)")
        }
        let values = rows.flatMap { labels[$0]!.numbers!.map { Float($0) } }
        return (
            .values(Matrix(rows: rows.count, columns: count, storage: values)),
            own?.count == count ? own : nil
        )
    }

    // One label a sequence.
    private func texts(_ rows: [Int], _ all: [Int]) throws(DataError) -> (Targets, [String]?) {
        let texts = rows.map { labels[$0]!.text! }
        for known in [task?.classes, own].compactMap(\.self) where Set(texts).isSubset(of: known) {
            return (.classes(Self.places(texts, known)), known)
        }
        // One name is that of several labels, which a column says 0 or 1 of.
        let own = own.flatMap { $0.count > 1 ? $0 : nil }
        let numbers = all.map { labels[$0]!.text!.plainNumber }
        if let bad = numbers.firstIndex(of: nil) {
            if case .regression = task { throw fault(all[bad], "a number", labels[all[bad]]!.text!) }
            return try classes(rows, texts)
        }
        if let bad = numbers.firstIndex(where: { !$0!.isFinite }) {
            throw fault(all[bad], "a number that F32 can hold", labels[all[bad]]!.text!)
        }
        var whole = all.map { Int(labels[$0]!.text!) }
        if whole.contains(nil) {
            // Floats, which are classes where two classes have them too.
            let exact = numbers.map { Int(exactly: $0!) }
            let areClasses = !exact.contains(nil) && Targets.areSigns(exact.map { $0! })
            guard areClasses else {
                let values = rows.map { labels[$0]!.text!.plainNumber! }
                return (.values(Matrix(rows: rows.count, columns: 1, storage: values)), nil)
            }
            whole = exact
        }
        let number = Dictionary(zip(all, whole)) { first, _ in first }
        if let own, let bad = rows.first(where: { !own.indices.contains(number[$0]!!) }) {
            throw fault(bad, "a class from 0 to \(own.count - 1)", labels[bad]!.text!)
        }
        return (.classes(rows.map { number[$0]!! }), own)
    }

    private func classes(_ rows: [Int], _ texts: [String]) throws(DataError) -> (Targets, [String]?) {
        if let known = task?.classes, let bad = texts.firstIndex(where: { !known.contains($0) }) {
            throw fault(rows[bad], known.formatted, texts[bad])
        }
        let names = Set(texts).sorted()
        guard names.count <= Targets.mostClasses else { throw tooMany(rows[0], names) }
        return (.classes(Self.places(texts, names)), names)
    }

    private static func places(_ names: [String]) -> [String: Int] {
        Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
    }

    private static func places(_ texts: [String], _ names: [String]) -> [Int] {
        let places = places(names)
        return texts.map { places[$0]! }
    }

    private func tooMany(_ row: Int, _ names: [String]) -> DataError {
        fault(row, "at most \(Targets.mostClasses) classes", "\(names.count)")
    }
}
