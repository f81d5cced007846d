// What cross-validation finds of every layer, see LayerSelection.swift.
import Activations
import ProbeMetrics
import Probes
import Storage
import Tensors

/// What a selection found of each layer.
struct LayerSweep {
    let layers: [LayerRecord]
    private let found: [Selection.Validated]
    /// The best of each layer, and behind these an ensemble across layers if there was one to try.
    var contenders: [SelectionEntry]

    private init(
        _ selection: Selection, _ layers: [LayerRecord], _ found: [Selection.Validated],
        _ data: ActivationSet,
        _ task: ProbeTask, _ folds: Folds, mostRows: Int
    ) throws {
        (self.layers, self.found) = (layers, found)
        contenders = zip(layers, found).map { layer, found in
            var entry = found.entries.first(where: \.isChosen) ?? found.entries[0]
            entry.isChosen = false
            return entry
        }
        if mostRows > 0, let ensemble = try ensemble(selection, data, task, folds, mostRows: mostRows) {
            contenders.append(ensemble)
        }
        if let chosen = contenders.choice(prefersEarlier: true) { contenders[chosen].isChosen = true }
    }

    private func ensemble(
        _ selection: Selection, _ data: ActivationSet, _ task: ProbeTask, _ folds: Folds, mostRows: Int
    ) throws -> SelectionEntry? {
        let ensembles = EnsembleSelection(
            task: task, targets: try data.targets(for: task), folds: folds,
            metric: selection.metric ?? .suited(to: task), weights: data.weights, mostRows: mostRows
        ) {
            validated($0.layers!).rows($0.candidate)
        } entry: {
            var entry = try validated($0.layers!).entry($0.candidate, $1)
            entry.layers = $0.layers
            return entry
        }
        return try ensembles.best(of: singles)
    }

    /// Cross-validates every layer by each of some selections, of which each has a result.
    ///
    /// - Parameters:
    ///   - mostRows: rows of weights of an ensemble across layers at most; 0 for no such ensembles.
    ///   - progress: told the selection, and how far it is, of all layers together, about.
    /// - Throws: `RoundEnd` after a share of what was open of every layer.
    static func all(
        _ selections: [Selection], _ data: ActivationSet, _ layers: [LayerRecord], _ task: ProbeTask,
        _ folds: Folds, _ journal: SelectionJournal, mostRows: Int,
        progress: @escaping @Sendable (Int, Selection.Progress) -> Void,
        isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [LayerSweep] {
        var found: [[Selection.Validated]] = selections.map { _ in [] }
        var isOpen = false
        try data.forEachLayer(
            layers, reading: selections.contains { $0.share?.trainsAny ?? true },
            threads: selections[0].threads
        ) {
            layer, own, states in
            for (i, selection) in selections.enumerated() {
                let (place, count) = (layers.firstIndex(of: layer)!, layers.count)
                let counter = TrialCounter(kept: journal.kept) {
                    progress(
                        i,
                        Selection.Progress(
                            done: place * $0.total + $0.done, total: count * $0.total, kept: $0.kept,
                            name: "\(layer): \($0.name)"))
                }
                do {
                    found[i].append(
                        try selection.crossValidate(
                            own, states: states, of: layer, task, folds, journal, counter, isInterrupted))
                } catch is RoundEnd {
                    isOpen = true
                }
            }
        }
        if isOpen { throw RoundEnd() }
        return try zip(selections, found).map {
            try LayerSweep($0, layers, $1, data, task, folds, mostRows: mostRows)
        }
    }

    // What may become part of an ensemble across layers.
    private var singles: [SelectionEntry] {
        found.compactMap { found in
            found.entries.filter { $0.parts.isEmpty && $0.score != nil && $0.pooled != nil }
                .max { $0.isWorse(than: $1) }
        }
    }

    private func validated(_ layer: LayerRecord) -> Selection.Validated {
        found[layers.firstIndex(of: layer)!]
    }

    /// Probes of a member of a contender, one a seed, that did not see a fold.
    func seeds(_ member: SelectionEntry, of contender: SelectionEntry, _ fold: Int) throws -> [Probe] {
        try validated(member.layers ?? contender.layers!).seeds(member, fold)
    }

    /// What a contender was chosen among; nil for an ensemble across layers.
    func candidates(_ contender: Int) -> [SelectionResult.Row]? {
        contender < found.count ? found[contender].entries.map(SelectionResult.Row.init) : nil
    }

    /// The contenders with intervals of their metrics from a stratified bootstrap of the sequences.
    func rows(
        _ metric: Metric, _ targets: Targets, _ task: ProbeTask, _ folds: Folds, _ bootstrap: Bootstrap,
        _ data: ActivationSet, _ threads: Int
    ) throws -> [SelectionResult.LayerRow] {
        let judged = contenders.map { entry in
            entry.judged.map { metric.pooled($0, folds, targets, task) }
        }
        let (classes, weights) = (data.strata, data.weights)
        let strata = Dictionary(grouping: data.indices) { classes[$0] }.sorted { $0.key < $1.key }
        let intervals = try bootstrap.intervals(strata: strata.map(\.value), threads: threads) { resample in
            judged.map { $0.flatMap { metric.score($0.sample(of: resample, weights: weights)) } }
        }
        return contenders.indices.map { i in
            let entry = contenders[i]
            return SelectionResult.LayerRow(
                layers: entry.layers!.numbers,
                name: entry.isAcrossLayers ? "ensemble across layers" : entry.nameInLayer,
                value: entry.pooled, low: intervals[i]?.lowerBound, high: intervals[i]?.upperBound,
                chosen: entry.isChosen, failure: entry.failure,
                candidates: candidates(i))
        }
    }
}

extension ActivationSet {
    // Hands over one layer after the other with its states as floats where they fit into memory, read with those of as
    // many other layers as fit beside them; none where nothing is to be read.
    fileprivate func forEachLayer(
        _ layers: [LayerRecord], reading: Bool, threads: Int,
        _ body: (LayerRecord, ActivationSet, ActivationSet?) throws -> Void
    ) throws {
        let bytes = tokenCount * width / layers.count * 4
        let most = 1 << 30
        // As much as one selection alone may take, or a quarter of what there is.
        let room = Swift.max(most, (AvailableMemory.now()?.bytes ?? 0) / 4)
        let together = bytes > most || !reading ? 0 : room / bytes
        var start = 0
        while start < layers.count {
            let group = layers[start..<min(start + Swift.max(1, together), layers.count)]
            var states = together == 0 ? [] : try floats(of: Array(group), threads: threads)
            for layer in group {
                let own = states.isEmpty ? nil : states.removeFirst()
                try body(layer, taking(layer)!, own)
            }
            start = group.endIndex
        }
    }
}
