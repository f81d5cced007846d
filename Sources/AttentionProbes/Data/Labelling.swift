// What the labels of a set mean: which task they are of, and whether they fit one.
private import Tensors

extension ActivationSet {
    /// What the labels say the task is: a name, if it was chosen, overrides the guess.
    ///
    /// Class indices are binary with two classes and multiclass with more; values that are all 0 or
    /// 1 are multilabel, others regression.
    ///
    /// - Throws: `DataError` without labels, or with labels that do not fit the task.
    public func task(named name: String? = nil) throws(DataError) -> ProbeTask {
        guard let targets else {
            throw DataError(
                .missingTensor, files[0].path, expected: "a tensor labels", found: "none")
        }
        func names(_ count: Int) -> [String] { classes ?? (0..<count).map(String.init) }
        let found: [ProbeTask]
        switch targets {
        case .classes(let indices):
            let count = classes?.count ?? max(2, (indices.max() ?? 0) + 1)
            let multiclass = ProbeTask.multiclass(classes: names(count))
            found = count == 2 ? [.binary(classes: names(2)), multiclass] : [multiclass]
        case .values(let values):
            let regression = ProbeTask.regression(outputs: values.columns)
            let multilabel = ProbeTask.multilabel(classes: names(values.columns))
            found =
                values.storage.allSatisfy { $0 == 0 || $0 == 1 } ? [multilabel, regression] : [regression]
        }
        guard let task = name == nil ? found[0] : found.first(where: { $0.name == name }) else {
            throw DataError(
                .labels, files[0].path, "tensor labels", expected: "labels of a \(name!) task",
                found: "those of \(found.map(\.name).formatted)")
        }
        return task
    }

    /// The labels, if they can be those of a task.
    ///
    /// - Throws: `DataError` without labels, or with labels, classes or columns of another task.
    func targets(for task: ProbeTask) throws(DataError) -> Targets {
        let path = files[0].path
        guard let targets else {
            throw DataError(
                .missingTensor, path, expected: "a tensor labels, or --labels with a table", found: "none")
        }
        if let classes, let own = task.classes, classes != own {
            throw DataError(
                .mismatch, path, "metadata classes", expected: own.joined(separator: ", "),
                found: classes.joined(separator: ", "))
        }
        switch (task, targets) {
        case (.binary(let classes), .classes(let labels)), (.multiclass(let classes), .classes(let labels)):
            guard let bad = labels.firstIndex(where: { $0 >= classes.count }) else { return targets }
            throw DataError(
                .labels, path, "tensor labels, sequence \(bad)",
                expected: "a class from 0 to \(classes.count - 1)", found: "\(labels[bad])")
        case (.multilabel, .values(let values)), (.regression, .values(let values)):
            guard values.columns != task.outputs else { return targets }
            throw DataError(
                .mismatch, path, "tensor labels", expected: "\(task.outputs) columns",
                found: "\(values.columns)")
        default:
            throw DataError(
                .mismatch, path, "tensor labels", expected: "labels of a \(task.name) task",
                found: targets.form)
        }
    }
}

extension Targets {
    init(joining parts: [Targets], like form: Targets) {
        switch form {
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
        case .values(let values): "\(values.columns) values"
        }
    }
}
