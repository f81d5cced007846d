import ArgumentParser
import AttentionProbes

/// What to learn from labels, the same in every subcommand that trains.
struct TaskOptions: ParsableArguments {
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case binary, multiclass, multilabel, regression

        /// What labels of a table are read for before they are known; nil for what they say.
        var expected: ProbeTask? { self == .regression ? .regression(outputs: 1) : nil }
    }

    @Option(help: "What to predict. (default: as the labels say)")
    var task: Name?
    @Option(
        help: ArgumentHelp(
            "Of two classes the positive one, whose probability is given and compared with the threshold; the other is "
                + "that of negatives, which --fpr bounds. (default: the second)",
            valueName: "name"))
    var positive: String?

    /// What labels of a table are read for before they are known; nil for what they say.
    var expected: ProbeTask? { task?.expected }

    /// The task of some data.
    func task(of data: ActivationSet) throws -> ProbeTask {
        let found = try data.task(named: task?.rawValue)
        guard let positive else { return found }
        guard found.isBinary else {
            throw ValidationError("--positive: expected it only with a binary task, found \(found.name)")
        }
        guard let chosen = found.positive(positive) else {
            throw ValidationError(
                "--positive: expected \(found.classes!.joined(separator: " or ")), found \(positive)")
        }
        return chosen
    }
}

/// Options that take labels from a table, the same in every subcommand that uses labels.
package struct LabelOptions: ParsableArguments {
    @Option(help: "CSV or JSON lines with a label for each sequence id; - for standard input.")
    var labels: String?
    @Option(help: "Column of --labels with the ids. (default: id)")
    var idColumn: String?
    @Option(help: "Column of --labels with the labels. (default: label)")
    var labelColumn: String?
    @Option(help: "Column of --labels with the groups. (default: group, if there is one)")
    var groupColumn: String?
    @Flag(help: "The rows of --labels are the sequences in their order, whatever their ids.")
    var labelsInOrder = false

    package init() {}

    package mutating func validate() throws {
        guard !labelsInOrder || idColumn == nil else {
            throw ValidationError("--id-column: expected it or --labels-in-order, not both")
        }
        guard labels == nil else { return }
        guard !labelsInOrder else {
            throw ValidationError("--labels-in-order: expected it only with --labels")
        }
        for (name, value) in [
            ("id-column", idColumn), ("label-column", labelColumn), ("group-column", groupColumn),
        ] where value != nil {
            throw ValidationError("--\(name): expected it only with --labels")
        }
    }

    /// The table; nil where none is given.
    ///
    /// - Parameter groups: the column of groups, and the option that names it, in place of --group-column.
    func table(groups: (column: String, option: String)? = nil) throws -> LabelTable? {
        try labels.map { path in
            var columns = LabelTable.Columns()
            columns.id = idColumn ?? columns.id
            columns.label = labelColumn ?? columns.label
            columns.group = groups?.column ?? groupColumn
            columns.groupOption = groups?.option ?? columns.groupOption
            columns.areInOrder = labelsInOrder
            return try LabelTable(path: path, columns: columns)
        }
    }
}

extension LabelTable {
    /// The sequences of some data that have a label here, with it.
    ///
    /// - Parameters:
    ///   - task: what the labels are for; nil for any.
    ///   - note: takes lines for people.
    func label(_ data: ActivationSet, for task: ProbeTask?, note: (String) -> Void) throws -> ActivationSet {
        let join = try data.labelled(by: self, for: task)
        if !join.unlabelled.isEmpty {
            let spelled = join.missing.isEmpty ? "" : " (where it has \(few(join.missing)))"
            note(
                "left out \(join.unlabelled.count) of \(data.count) sequences without a label in \(path)\(spelled): "
                    + few(join.unlabelled))
        }
        if !join.unused.isEmpty { note(unmatched(join.unused, of: path)) }
        if !join.shared.isEmpty {
            note(
                "warning: \(counted(join.shared.count, "id of \(path) is that", "ids of \(path) are those")) "
                    + "of several sequences, which got the same label: \(few(join.shared))")
        }
        return join.set
    }
}
