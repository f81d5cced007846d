// Labels as a task has them. Classes are matched by their names; without names for the data's own, by the values that
// name them, and where the task's classes have other names than whole numbers, values are indices of these. Numbers
// from 0 to 1 are, for a binary task, the probability of the class that 1 would be.
private import Tensors

extension ActivationSet {
    /// The same sequences with their labels as a task has them: indices of its classes, or its columns of numbers.
    ///
    /// Classes that do not occur here may be missing; one that the task does not have is an error.
    ///
    /// - Throws: `DataError` without labels, or with labels, classes or columns of another task.
    package func labelled(for task: ProbeTask) throws(DataError) -> ActivationSet {
        try labelled(for: task, isReordered: false)
    }

    /// - Parameter isReordered: whether the task's classes stand in another order than files count them in, so that
    ///   indices without names say nothing.
    package func labelled(for task: ProbeTask, isReordered: Bool) throws(DataError) -> ActivationSet {
        let targets = try targets(for: task, isReordered: isReordered)
        let order =
            task.isBinary && classes.map { $0 != task.classes && Set($0) == Set(task.classes!) } ?? false
        return ActivationSet(
            self, selecting: Array(indices), targets: targets, classes: task.classes, groups: groups,
            isReordered: order)
    }

    /// The labels as a task has them; see `labelled(for:)`.
    package func targets(for task: ProbeTask, isReordered: Bool = false) throws(DataError) -> Targets {
        guard let targets else {
            throw DataError(
                .missingTensor, files[0].path, expected: "a tensor labels, or --labels with a table",
                found: "none")
        }
        if case .binary(let own) = task, let soft = try probabilities(of: own, isReordered) {
            return .probabilities(soft)
        }
        switch (task, targets) {
        case (.binary(let own), _), (.multiclass(let own), _):
            // Values with names are several labels.
            if case .values = targets, classes != nil { break }
            guard let labels = targets.wholeNumbers else { break }
            return .classes(try indices(labels, of: own, isReordered))
        case (.multilabel(let own), .values(let values)):
            return .values(try columns(values, of: own))
        case (.multilabel(let own), .classes(let labels)):
            // One label a sequence, in a column of whole numbers.
            guard own.count == 1, classes == nil, Set(labels).isSubset(of: [0, 1]) else { break }
            return .values(Matrix(rows: count, columns: 1, storage: labels.map(Float.init)))
        case (.regression(1), .classes(let numbers)) where classes == nil:
            return .values(Matrix(rows: count, columns: 1, storage: numbers.map(Float.init)))
        case (.regression(let outputs), .values(let values)):
            guard values.columns != outputs else { return targets }
            throw labelError(.mismatch, expected: "\(outputs) columns", found: "\(values.columns)")
        default: break
        }
        throw labelError(
            .mismatch, expected: "labels of a \(task.name) task",
            found: classes == nil ? targets.form : "\(targets.form), of \(classes!.formatted)")
    }

    private func indices(_ labels: [Int], of own: [String], _ isReordered: Bool) throws(DataError) -> [Int] {
        let places = Dictionary(own.enumerated().map { ($1, $0) }) { first, _ in first }
        let areNumbers = own.contains { Int($0).map(String.init) == $0 }
        let values = Set(labels)
        var indices: [Int: Int] = [:]
        if let classes {
            for value in values where classes.indices.contains(value) {
                indices[value] = places[classes[value]]
            }
        } else if areNumbers {
            for value in values { indices[value] = places[String(value)] }
        } else if isReordered {
            throw labelError(
                .labels, 0,
                expected:
                    "the name of a class, because they are in another order than those of the training data",
                found: "\(labels[0])")
        } else {
            for value in values where own.indices.contains(value) { indices[value] = value }
        }
        guard let bad = labels.firstIndex(where: { indices[$0] == nil }) else {
            return labels.map { indices[$0]! }
        }
        let isNamed = classes?.indices.contains(labels[bad]) ?? areNumbers
        throw labelError(
            .labels, bad, expected: isNamed ? own.few.formatted : "a class from 0 to \(own.count - 1)",
            found: isNamed ? classes?[labels[bad]] ?? "\(labels[bad])" : "\(labels[bad])")
    }

    // Soft labels as the probability of the second class of a task; nil where labels are none.
    private func probabilities(of own: [String], _ isReordered: Bool) throws(DataError) -> [Float]? {
        let values: [Float]
        switch targets {
        case .probabilities(let probabilities): values = probabilities
        case .values(let numbers)? where numbers.columns == 1 && classes == nil:
            guard targets?.wholeNumbers == nil else { return nil }
            values = numbers.storage
        default: return nil
        }
        if let bad = values.firstIndex(where: { !(0...1).contains($0) }) {
            throw labelError(
                .labels, bad, expected: "one of two classes, or a probability from 0 to 1",
                found: "\(values[bad])")
        }
        // The places of what 0 and 1 would be.
        let places = try indices([0, 1], of: own, isReordered)
        return places == [0, 1] ? values : values.map { 1 - $0 }
    }

    private func columns(_ values: Matrix, of own: [String]) throws(DataError) -> Matrix {
        if let bad = values.storage.firstIndex(where: { !(0...1).contains($0) }) {
            throw labelError(
                .labels, bad / values.columns, expected: "a number from 0 to 1 for each class",
                found: "\(values.storage[bad])")
        }
        guard let classes, classes != own else {
            guard values.columns != own.count else { return values }
            throw labelError(.mismatch, expected: "\(own.count) columns", found: "\(values.columns)")
        }
        let places = own.map(classes.firstIndex(of:))
        let known = Set(own)
        for (c, name) in classes.enumerated() where !known.contains(name) {
            guard let bad = (0..<values.rows).first(where: { values[$0, c] != 0 }) else { continue }
            throw labelError(.labels, bad, expected: "names among \(own.few.formatted)", found: name)
        }
        let storage = (0..<values.rows).flatMap { row in places.map { $0.map { values[row, $0] } ?? 0 } }
        return Matrix(rows: values.rows, columns: own.count, storage: storage)
    }
}

extension [String] {
    // The first few of many, for a message.
    fileprivate var few: [String] { count > 12 ? prefix(8) + ["… (\(count) classes)"] : self }
}
