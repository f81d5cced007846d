// What the labels of a set mean: files and tables give them as they stand, and a task says how they are read.
//
//     whole numbers, with names of classes      indices of these
//     whole numbers without                     classes named by their values; or numbers to predict
//     floats, one a sequence                    numbers to predict; where all are 0 and 1, or all -1 and 1, first of all
//                                               classes; other whole ones too where a task of classes is asked for; from
//                                               0 to 1, and a binary task asked for, probabilities of the second class
//     several numbers a sequence                where all are 0 and 1 several labels; or numbers to predict
private import Tensors

extension ActivationSet {
    /// What the labels say the task is: a name, if it was chosen, overrides the guess.
    ///
    /// Classes are binary if there are two and multiclass if more. Without names for them they are those that occur,
    /// in the order of their values. Several values a sequence that are all 0 or 1 are multilabel, others regression.
    ///
    /// - Throws: `DataError` without labels, with labels that do not fit the task, or with fewer than two classes.
    public func task(named name: String? = nil) throws(DataError) -> ProbeTask {
        guard let targets else {
            throw DataError(
                .missingTensor, files[0].path, expected: "a tensor labels", found: "none")
        }
        let found = targets.tasks(named: classes)
        if name == "binary", !found.contains(where: \.isBinary), let bad = firstImpossible {
            throw labelError(
                .labels, bad.index, expected: "one of two classes, or a probability from 0 to 1",
                found: "\(bad.value)")
        }
        guard let task = name == nil ? found.first : found.first(where: { $0.name == name }) else {
            throw labelError(
                .labels, expected: "labels of a \(name ?? "probe's") task",
                found: classes != nil && name == "regression"
                    ? "names of classes, as \(classes![0])" : "those of \(found.map(\.name).formatted)")
        }
        switch task {
        case .binary(let classes), .multiclass(let classes):
            guard classes.count > 1 else {
                throw labelError(
                    .singleClass, expected: "sequences of at least two classes",
                    found: "only class \(classes.first ?? "none")")
            }
            guard classes.count <= Targets.mostClasses else {
                throw labelError(
                    .labels, expected: "at most \(Targets.mostClasses) classes, or --task regression",
                    found: "\(classes.count)")
            }
        case .multilabel, .regression: break
        }
        return task
    }

    // Of numbers that cannot be classes, the first that cannot be a probability.
    private var firstImpossible: (index: Int, value: Float)? {
        guard case .values(let values) = targets, values.columns == 1, classes == nil,
            targets?.wholeNumbers == nil
        else { return nil }
        return values.storage.firstIndex { !(0...1).contains($0) }.map { ($0, values.storage[$0]) }
    }

    /// How many sequences have each label; nil where labels are numbers to predict, or there are none.
    package var labelCounts: [String: Int]? {
        if let labels = targets?.classLabels(named: classes) {
            return Dictionary(labels.map { (classes?[$0] ?? String($0), 1) }, uniquingKeysWith: +)
        }
        guard case .values(let values) = targets, values.storage.allSatisfy({ $0 == 0 || $0 == 1 }) else {
            return nil
        }
        let counts = (0..<values.columns).map { c in
            (classes?[c] ?? String(c), (0..<values.rows).count { values[$0, c] == 1 })
        }
        return Dictionary(counts, uniquingKeysWith: +)
    }

    /// An error about labels, which names where they are from.
    package func labelError(
        _ rule: DataError.Rule, _ index: Int? = nil, expected: String, found: String
    ) -> DataError {
        guard let labelTable else {
            let path = index.map { files[locations[$0].file].path } ?? files[0].path
            let place = "tensor labels" + (index.map { ", \(name($0))" } ?? "")
            return DataError(rule, path, place, expected: expected, found: found)
        }
        return DataError(
            rule, labelTable, index.map { "the label of \(id($0))" } ?? "labels", expected: expected,
            found: found)
    }
}

extension Targets {
    /// The tasks that labels may be of, the most likely first. With one class only it is a task that cannot be.
    fileprivate func tasks(named names: [String]?) -> [ProbeTask] {
        func classes(_ names: [String]) -> [ProbeTask] {
            (names.count == 2 ? [.binary(classes: names)] : []) + [.multiclass(classes: names)]
        }
        if case .probabilities = self { return [.binary(classes: names ?? Self.softClasses)] }
        if case .values(let values) = self, values.columns > 1 || names != nil {
            let areLabels = values.storage.allSatisfy { $0 == 0 || $0 == 1 }
            let names = names ?? (0..<values.columns).map(String.init)
            return (areLabels ? [.multilabel(classes: names)] : []) + [.regression(outputs: values.columns)]
        }
        if case .classes = self, let names { return classes(names) }
        // One number a sequence.
        guard let numbers = wholeNumbers else {
            return [.regression(outputs: 1)] + (mayBeSoft ? [.binary(classes: Self.softClasses)] : [])
        }
        let values = Set(numbers)
        let own = classes(values.sorted().map(String.init))
        let areClasses = classLabels(named: nil) != nil
        return (areClasses ? own + [.regression(outputs: 1)] : [.regression(outputs: 1)] + own)
            + (values.isSubset(of: [0, 1]) ? [.multilabel(classes: ["0"])] : [])
    }

    // What the two classes of soft labels without names are called.
    private static let softClasses = ["0", "1"]

    // Whether numbers, one a sequence, can all be probabilities.
    private var mayBeSoft: Bool {
        guard case .values(let values) = self, values.columns == 1 else { return false }
        return values.storage.allSatisfy { (0...1).contains($0) }
    }

    /// One whole number a sequence, if that is what they are. Floats tell neighbours apart up to 2²⁴.
    var wholeNumbers: [Int]? {
        switch self {
        case .classes(let numbers): return numbers
        case .probabilities: return nil
        case .values(let values):
            guard values.columns == 1 else { return nil }
            let numbers = values.storage.compactMap { abs($0) <= 0x1p24 ? Int(exactly: $0) : nil }
            return numbers.count == values.rows ? numbers : nil
        }
    }

    /// The class of each sequence where labels are classes unless another task is asked for.
    func classLabels(named names: [String]?) -> [Int]? {
        if case .classes = self { return wholeNumbers }
        guard names == nil, let numbers = wholeNumbers else { return nil }
        return Self.areSigns(numbers) ? numbers : nil
    }

    /// Whether whole numbers are those that two classes have also as floats: 0 and 1, or -1 and 1.
    static func areSigns(_ numbers: some Sequence<Int>) -> Bool {
        let values = Set(numbers)
        return values.isSubset(of: [0, 1]) || values.isSubset(of: [-1, 1])
    }
}

extension Targets {
    /// Classes beside probabilities are probabilities 0 and 1.
    init(joining parts: [Targets], like form: Targets) {
        if parts.contains(where: \.areSoft) {
            self = .probabilities(
                parts.flatMap { part -> [Float] in
                    if case .probabilities(let own) = part {
                        own
                    } else {
                        (part.hardClasses ?? []).map(Float.init)
                    }
                })
            return
        }
        switch form {
        case .probabilities: self = form
        case .classes:
            self = .classes(
                parts.flatMap { part -> [Int] in
                    if case .classes(let classes) = part { classes } else { [] }
                })
        case .values(let first):
            let storage = parts.flatMap { part -> [Float] in
                if case .values(let values) = part { values.storage } else { [] }
            }
            self = .values(
                Matrix(rows: storage.count / first.columns, columns: first.columns, storage: storage))
        }
    }

    var form: String {
        switch self {
        case .classes: "class indices"
        case .probabilities: "probabilities"
        case .values(let values): values.columns == 1 ? "numbers" : "\(values.columns) values"
        }
    }
}
