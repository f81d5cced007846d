import ArgumentParser
import AttentionProbes

/// Options that say what of the data is taken, of everything that reads them. Groups in groups take the parser of a debug build
/// five times as long a level, so these have none.
protocol ReadingOptions: ParsableArguments {
    /// Whether to leave out sequences that are not finite.
    var skipNonfinite: Bool { get }
    var skipping: SkipOptions { get }
    var masking: MaskOptions { get }
    var layers: LayerOptions { get }
    var matrices: MatrixOptions { get }
}

extension ReadingOptions {
    /// What `skipNonfinite` does.
    static var skipNonfiniteHelp: ArgumentHelp {
        "Leave out sequences with a NaN or infinity in their hidden states, or without a token, instead of stopping."
    }

    /// Opens data; where asked, without the sequences that are not finite.
    ///
    /// - Parameters:
    ///   - labels: where labels come from, if not the files; nil where labels are not used.
    ///   - task: what labels are for; nil for the task of the first probe, or without any for what they say.
    ///   - probes: those that the data are for.
    ///   - swept: layers that contend with each other; nil for none.
    ///   - isNewTable: whether no set before had the table of labels.
    ///   - opened: takes the set as it is in the files.
    ///   - note: takes lines for people.
    func read(
        _ paths: [String], labels labelling: LabelOptions?, task: ProbeTask? = nil, for probes: [Probe] = [],
        swept: SweptLayers? = nil, isNewTable: Bool = true, threads: Int,
        opened: (ActivationSet) -> Void = { _ in },
        note: (String) -> Void
    ) throws -> ActivationSet {
        // A table is short: its faults are found before thousands of files are opened.
        let table = try labelling?.table()
        var data = try layers.open(
            paths, labelled: labelling != nil, for: probes.compactMap(\.training.layers),
            swept: swept, skips: skips, readers: matrices.readers, note: note)
        opened(data)
        data = try masking.masked(
            data, table, idColumn: labelling?.idColumn, isNew: isNewTable,
            skipsEmpty: skips.contains(.emptySequences), threads: threads, note: note)
        if let other = probes.first(where: { $0.training[.data] != nil && $0.training[.mask] != data.mask }) {
            func tokens(_ mask: String?) -> String {
                mask.map { "the tokens that --mask '\($0)' leaves" } ?? "all tokens"
            }
            note(
                "warning: the probe was trained on \(tokens(other.training[.mask])), and looks at "
                    + "\(tokens(data.mask)) here")
        }
        for line in data.leftOut.notes(of: data.count) { note(line) }
        if let table { data = try table.label(data, for: task ?? probes.first?.task, note: note) }
        guard skipNonfinite else { return data }
        let finite = try data.skippingNonFinite(threads: threads)
        var rest = LeftOut()
        rest.nonFinite = finite.leftOut.nonFinite
        for line in rest.notes(of: data.count) { note(line) }
        return finite
    }

    private var skips: Skips { skipping.skips.union(skipNonfinite ? .emptySequences : []) }

    /// Whether anything is to be left out.
    var skipsAnything: Bool { !skips.isEmpty }
}
