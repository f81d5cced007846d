import ArgumentParser
import AttentionProbes

/// Options that say what to take of files with several layers, the same in every subcommand that reads data.
struct LayerOptions: ParsableArguments {
    @Option(
        help: """
            The layer to take: of files that hold several, counted from 0 as stored; of files of one layer \
            each, the layer in their metadata.
            """)
    var layer: Int?
    @Option(help: "Layers to put side by side into one wider hidden state, such as 10,14,20.")
    var layers: String?

    /// The layers that were asked for; nil for all.
    var chosenLayers: [Int]? {
        layer.map { [$0] }
            ?? layers?.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
    }

    func validate() throws {
        guard layer == nil || layers == nil else {
            throw ValidationError("--layers: expected it or --layer, not both")
        }
        try require(layer, "layer", from: 0)
        let chosen = chosenLayers ?? []
        guard chosen.allSatisfy({ $0 >= 0 }), Set(chosen).count == chosen.count else {
            throw ValidationError("--layers: expected different numbers from 0 on, found \(layers!)")
        }
    }

    /// Opens data: where no layer is asked for, with those that the probes were trained on; others only where they
    /// are.
    ///
    /// - Parameters:
    ///   - trained: what the probes that the data are for say of the layers they were trained on.
    ///   - swept: layers that contend with each other, to be put side by side; nil for none.
    ///   - skips: what is left out instead of being an error.
    ///   - readers: the forms of files that are read.
    ///   - note: takes lines for people.
    func open(
        _ paths: [String], labelled: Bool, for trained: [LayerRecord], swept: SweptLayers? = nil,
        skips: Skips, readers: [any ActivationReader], note: (String) -> Void
    ) throws -> ActivationSet {
        if let swept {
            guard chosenLayers == nil else {
                throw ValidationError("--layers-each: expected it alone, without --layer or --layers")
            }
            return try ActivationSet(
                paths: paths, labelled: labelled,
                layers: swept.numbers
                    ?? ActivationSet.layerNumbers(
                        paths, skips: skips, readers: readers),
                skips: skips, readers: readers)
        }
        let data: ActivationSet
        do {
            data = try ActivationSet(
                paths: paths, labelled: labelled, layers: chosenLayers, skips: skips,
                readers: readers)
        } catch let error as DataError where error.rule == .layers && chosenLayers == nil && !trained.isEmpty
        {
            let layers = LayerRecord.union(trained)
            var chosen: ActivationSet?
            do {
                chosen = try layers.map {
                    try ActivationSet(
                        paths: paths, labelled: labelled, layers: $0.numbers, skips: skips,
                        readers: readers)
                }
            } catch let other as DataError where other.rule == .layers && other.path == error.path {
                // The file has no such layer: the first error, which asks for one, helps more.
            }
            guard let layers, let chosen, chosen.layers == layers else {
                let all = trained.map(\.description).joined(separator: ", ")
                throw DataError(
                    .layers, error.path, error.place, expected: error.expected,
                    found: error.found + ", and a probe trained on \(all)")
            }
            note("took \(layers), as the probe\(trained.count > 1 ? "s were" : " was") trained on")
            data = chosen
        }
        // Of more layers than one probe was trained on it sees its own; several are told apart by `ProbeSet`.
        if let first = trained.first, trained.allSatisfy({ $0 == first }), data.layers != first,
            let own = data.taking(first)
        {
            return own
        }
        guard let found = data.layers,
            let other = trained.first(where: {
                $0.areAsStored == found.areAsStored && found.columns(of: $0, width: data.width) == nil
            })
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
