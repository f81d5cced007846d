import ArgumentParser
import AttentionProbes
import Foundation

/// Options that say how to read data, the same in every subcommand that reads them.
struct DataOptions: ParsableArguments {
    @Option(
        help: """
            The layer to take: of files that hold several, counted from 0 as stored; of files of one layer \
            each, the layer in their metadata.
            """)
    var layer: Int?
    @Option(help: "Layers to put side by side into one wider hidden state, such as 10,14,20.")
    var layers: String?
    @Option(help: "CSV or JSON lines with a label for each sequence id.")
    var labels: String?
    @Option(help: "Column of --labels with the ids.")
    var idColumn = "id"
    @Option(help: "Column of --labels with the labels.")
    var labelColumn = "label"
    @Option(help: "Column of --labels with the groups, if there is one.")
    var groupColumn = "group"

    /// The layers that were asked for; nil for all.
    var chosenLayers: [Int]? {
        layer.map { [$0] }
            ?? layers?.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
    }

    func validate() throws {
        guard layer == nil || layers == nil else {
            throw ValidationError("--layers: expected it or --layer, not both")
        }
        let chosen = chosenLayers ?? []
        guard chosen.allSatisfy({ $0 >= 0 }), Set(chosen).count == chosen.count else {
            throw ValidationError(
                "--layers: expected different numbers from 0 on, found \(layers ?? "\(chosen[0])")")
        }
    }

    /// Opens data, with the labels of a table where one is given.
    ///
    /// - Parameters:
    ///   - classes: the classes that labels by name must be of; nil for any.
    ///   - note: takes lines for people.
    func open(_ paths: [String], labelled: Bool, classes: [String]?, note: (String) -> Void) throws
        -> ActivationSet
    {
        guard labelled || labels == nil else {
            throw ValidationError("--labels: expected it only where labels are used")
        }
        let table = try labels.map { path in
            var columns = LabelTable.Columns()
            (columns.id, columns.label, columns.group) = (idColumn, labelColumn, groupColumn)
            return try LabelTable(path: path, columns: columns)
        }
        let data = try ActivationSet(paths: paths, labelled: labelled, layers: chosenLayers)
        if !data.unfinished.isEmpty {
            note(
                "left out \(data.unfinished.count) files that are still being written: \(few(data.unfinished))"
            )
        }
        guard let table else { return data }
        let join = try data.labelled(by: table, classes: classes)
        if !join.unlabelled.isEmpty {
            note(
                "left out \(join.unlabelled.count) of \(data.count) sequences without a label in \(table.path): "
                    + few(join.unlabelled))
        }
        if !join.unused.isEmpty {
            note("\(join.unused.count) ids of \(table.path) match no sequence: \(few(join.unused))")
        }
        return join.set
    }
}

/// "a, b, c, …".
func few(_ names: [String]) -> String {
    names.prefix(3).map(\.printable).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
}
