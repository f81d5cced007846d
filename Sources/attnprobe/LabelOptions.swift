import ArgumentParser
import AttentionProbes

/// Options that take labels from a table, the same in every subcommand that uses labels.
struct LabelOptions: ParsableArguments {
    @Option(help: "CSV or JSON lines with a label for each sequence id.")
    var labels: String?
    @Option(help: "Column of --labels with the ids. (default: id)")
    var idColumn: String?
    @Option(help: "Column of --labels with the labels. (default: label)")
    var labelColumn: String?
    @Option(help: "Column of --labels with the groups. (default: group, if there is one)")
    var groupColumn: String?

    func validate() throws {
        guard labels == nil else { return }
        for (name, value) in [
            ("id-column", idColumn), ("label-column", labelColumn), ("group-column", groupColumn),
        ] where value != nil {
            throw ValidationError("--\(name): expected it only with --labels")
        }
    }

    /// The table; nil where none is given.
    func table() throws -> LabelTable? {
        try labels.map { path in
            var columns = LabelTable.Columns()
            columns.id = idColumn ?? columns.id
            columns.label = labelColumn ?? columns.label
            columns.group = groupColumn
            return try LabelTable(path: path, columns: columns)
        }
    }
}

extension LabelTable {
    /// The sequences of some data that have a label here, with it.
    ///
    /// - Parameters:
    ///   - classes: the classes that labels by name must be of; nil for any.
    ///   - note: takes lines for people.
    func label(_ data: ActivationSet, classes: [String]?, note: (String) -> Void) throws -> ActivationSet {
        let join = try data.labelled(by: self, classes: classes)
        if !join.unlabelled.isEmpty {
            note(
                "left out \(join.unlabelled.count) of \(data.count) sequences without a label in \(path): "
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
