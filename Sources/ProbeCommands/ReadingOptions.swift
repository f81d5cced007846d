import ArgumentParser
import AttentionProbes

/// Options that say what of the data is taken, the same in every subcommand that reads them.
package struct ReadingOptions: ParsableArguments {
    @Flag(
        help:
            "Leave out sequences with a NaN or infinity in their hidden states, or without a token, instead of stopping."
    )
    var skipNonfinite = false

    @OptionGroup var layers: LayerOptions
    @OptionGroup var matrices: MatrixOptions

    package init() {}

    /// Opens data; where asked, without the sequences that are not finite.
    ///
    /// - Parameters:
    ///   - labels: where labels come from, if not the files; nil where labels are not used.
    ///   - task: what labels are for; nil for the task of the first probe, or without any for what they say.
    ///   - probes: those that the data are for.
    ///   - swept: layers that contend with each other; nil for none.
    ///   - opened: takes the set as it is in the files.
    ///   - note: takes lines for people.
    func open(
        _ paths: [String], labels labelling: LabelOptions?, task: ProbeTask? = nil, for probes: [Probe] = [],
        swept: SweptLayers? = nil, threads: Int, opened: (ActivationSet) -> Void = { _ in },
        note: (String) -> Void
    ) throws -> ActivationSet {
        // A table is short: its faults are found before thousands of files are opened.
        let table = try labelling?.table()
        var data = try layers.open(
            paths, labelled: labelling != nil, for: probes.compactMap(\.training.layers),
            swept: swept, skipsEmpty: skipNonfinite, readers: matrices.readers, note: note)
        opened(data)
        if !data.unfinished.isEmpty { note(leftOut(unfinished: data.unfinished)) }
        if !data.empty.isEmpty {
            note("left out \(counted(data.empty.count, "sequence")) without a token: \(few(data.empty))")
        }
        if let table { data = try table.label(data, for: task ?? probes.first?.task, note: note) }
        guard skipNonfinite else { return data }
        let finite = try data.finiteSequences(threads: threads)
        if finite.count < data.count {
            note("left out \(data.count - finite.count) of \(data.count) sequences with a NaN or infinity")
        }
        guard !finite.isEmpty else {
            throw DataError(.nonFinite, paths[0], expected: "a sequence of finite numbers", found: "none")
        }
        return data.selecting(finite)
    }
}
