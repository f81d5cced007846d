// Which layer to read: every layer of several that stand side by side in hidden states is selected in the same way, on the
// same folds and from the same candidates.
//
// 1. Layers are read together, as many as memory may hold as floats, and then one after the other is cross-validated.
// 2. The best of each layer that is no ensemble itself may be a part of an ensemble across layers (EnsembleSelection.swift).
// 3. The first layer whose best is within one standard error of the best of all is chosen; the ensemble, which reads
//    several layers, only where no layer is.
public import Activations
public import ProbeMetrics
import ProbeTraining
import Probes
import Tensors

extension Selection {
    /// Selects a layer and a candidate, and trains that.
    ///
    /// - Parameters:
    ///   - data: sequences whose states are several layers side by side.
    ///   - bootstrap: how the interval of each layer's metric is found.
    ///   - progress: told after every training; of all layers together, about.
    /// - Throws: as `run`; `DataError` where the states are of one layer.
    public func run(
        eachLayerOf data: ActivationSet, task: ProbeTask? = nil, bootstrap: Bootstrap = Bootstrap(),
        journal: String? = nil, starting: (Folds) throws -> Void = { _ in },
        progress: @escaping @Sendable (Progress) -> Void = { _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> SelectionResult {
        let task = try task ?? data.task()
        let data = try data.labelled(for: task)
        let layers = try data.eachLayer().sorted { $0.numbers[0] < $1.numbers[0] }
        try checkMemory(data.taking(layers[0])!, task: task)
        let folds = try split(data, task: task)
        try starting(folds)
        let journal = try self.journal(journal, data, task, folds, isInterrupted)
        let swept = try LayerSweep.all(
            [self], data, layers, task, folds, journal, mostRows: mostRows, progress: { progress($1) },
            isInterrupted: isInterrupted)[0]
        let chosen = try swept.contenders.chosen(data)
        let counter = TrialCounter(kept: journal.kept, progress)
        let own = data.taking(chosen.layers!)!
        var result = SelectionResult(
            probe: try train(chosen, task, journal, counter, isInterrupted) {
                data.taking($0.layers ?? chosen.layers!)!
            },
            entries: swept.contenders, metric: metric ?? .suited(to: task), folds: folds,
            largestLogits: isStreaming
                ? try largestLogits(own, folds) { fold in
                    try chosen.probe { try swept.seeds($0, of: chosen, fold) }
                }
                : nil,
            journal: journal)
        result.layers = try swept.rows(
            metric ?? .suited(to: task), data.targets(for: task), task, folds, bootstrap, data, threads)
        return result
    }
}

extension SelectionResult.LayerRow {
    /// As a probe's file has it.
    var withoutCandidates: Self {
        Self(
            layers: layers, name: name, value: value, low: low, high: high, chosen: chosen, failure: failure,
            candidates: nil)
    }
}

extension [SelectionEntry] {
    /// The one that was chosen.
    ///
    /// - Throws: `DataError` where none could be trained.
    func chosen(_ data: ActivationSet) throws(DataError) -> SelectionEntry {
        guard let chosen = first(where: \.isChosen) else {
            throw DataError(
                .overflow, data.files[0].path, expected: "a candidate that can be trained",
                found: self[0].failure ?? "no metric on any fold")
        }
        return chosen
    }
}
