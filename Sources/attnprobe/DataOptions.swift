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
    ///   - probes: those that the data are for, which may say what layers they were trained on.
    ///   - note: takes lines for people.
    func open(
        _ paths: [String], labelled: Bool, classes: [String]?, for probes: [Probe], note: (String) -> Void
    ) throws -> ActivationSet {
        guard labelled || labels == nil else {
            throw ValidationError("--labels: expected it only where labels are used")
        }
        let table = try labels.map { path in
            var columns = LabelTable.Columns()
            (columns.id, columns.label, columns.group) = (idColumn, labelColumn, groupColumn)
            return try LabelTable(path: path, columns: columns)
        }
        let data = try opened(paths, labelled: labelled, for: probes.compactMap(\.layers), note)
        if !data.unfinished.isEmpty {
            note(leftOut(unfinished: data.unfinished))
        }
        guard let table else { return data }
        let join = try data.labelled(by: table, classes: classes)
        if !join.unlabelled.isEmpty {
            note(
                "left out \(join.unlabelled.count) of \(data.count) sequences without a label in \(table.path): "
                    + few(join.unlabelled))
        }
        if !join.unused.isEmpty {
            note(unmatched(join.unused, of: table.path))
        }
        return join.set
    }

    // Where no layer is asked for, those that the probes were trained on; others only where they are.
    private func opened(
        _ paths: [String], labelled: Bool, for trained: [LayerRecord], _ note: (String) -> Void
    ) throws -> ActivationSet {
        let data: ActivationSet
        do {
            data = try ActivationSet(paths: paths, labelled: labelled, layers: chosenLayers)
        } catch let error as DataError where error.rule == .layers && chosenLayers == nil && !trained.isEmpty
        {
            let layers = trained[0]
            var chosen: ActivationSet?
            do {
                chosen = try ActivationSet(paths: paths, labelled: labelled, layers: layers.numbers)
            } catch let other as DataError where other.rule == .layers && other.path == error.path {
                // The file has no such layer: the first error, which asks for one, helps more.
            }
            guard let chosen, trained.allSatisfy({ $0 == layers }), chosen.layers == layers else {
                let all = trained.map(\.description).joined(separator: ", ")
                throw DataError(
                    .layers, error.path, error.place, expected: error.expected,
                    found: error.found + " (and a probe of \(all))")
            }
            note("took \(layers), as the probe was trained on")
            data = chosen
        }
        guard let found = data.layers,
            let other = trained.first(where: { $0 != found && $0.areAsStored == found.areAsStored })
        else { return data }
        guard chosenLayers != nil else {
            throw DataError(
                .layers, data.files[0].path,
                expected:
                    "\(other), which the probe was trained on, or --layers \(found.list) to score another",
                found: "\(found)")
        }
        note("warning: the probe was trained on \(other), and scores \(found)")
        return data
    }
}

/// "a, b, c, …".
func few(_ names: [String]) -> String {
    names.prefix(3).map(\.printable).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
}
