// What models say of the sequences that judge them: each as a whole, or each on every layer.
import Activations
import ProbeMetrics
import ProbeTraining
import Probes
import Tensors

extension ProbeComparison {
    /// How a model is selected.
    func selection(of model: Model) -> Selection {
        var selection = selection
        selection.candidates = model.candidates
        return selection
    }

    /// What comes of an entry that could not be trained, a test each.
    func failed(_ outcome: ModelOutcome, _ entry: SelectionEntry, _ sets: [ActivationSet?]) -> [ModelOutcome]
    {
        var outcome = outcome
        outcome.failure = entry.failure ?? "no metric on any fold"
        return sets.map { _ in outcome }
    }

    /// What an entry says of each test: the probe that is trained for it, where there is one with other sequences.
    func judged(
        _ outcome: ModelOutcome, _ chosen: SelectionEntry, _ sets: [ActivationSet?], train: () throws -> Probe
    ) throws -> [ModelOutcome] {
        // Only where there are other sequences.
        var trained: Swift.Result<Probe, any Error>?
        return try sets.map { test in
            var outcome = outcome
            guard let test else {
                outcome.logits = chosen.judged
                return outcome
            }
            do {
                if trained == nil { trained = Swift.Result { try train() } }
                let scored = try trained!.get().scored(test, threads: selection.threads)
                outcome.logits = scored.scores.logits
                outcome.entropyRatio = scored.entropyRatios.flatMap { mean($0) }
            } catch let error as DataError where error.rule == .overflow {
                outcome.failure = "\(error)"
            }
            return outcome
        }
    }

    /// What every model says on every layer, and as an ensemble across layers: models in their order, of each the layers in
    /// theirs.
    func layerOutcomes(
        _ training: ActivationSet, _ sets: [ActivationSet?], _ task: ProbeTask, _ folds: Folds,
        _ journal: SelectionJournal, _ progress: @escaping @Sendable (String, Selection.Progress) -> Void,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [[ModelOutcome]] {
        let layers = try training.eachLayer().sorted { $0.numbers[0] < $1.numbers[0] }
        let (selections, names) = (models.map(selection), models.map(\.name))
        let sweeps = try LayerSweep.all(
            selections, training, layers, task, folds, journal, mostRows: mostRowsAcrossLayers,
            progress: { progress(names[$0], $1) }, isInterrupted: isInterrupted)
        return try sweeps.indices.flatMap { i in
            try sweeps[i].contenders.enumerated().map { place, entry in
                let own = entry.layers!
                var outcome = ModelOutcome(name: "\(names[i]), \(own)")
                (outcome.model, outcome.layers, outcome.chosen) = (names[i], own.numbers, entry.isChosen)
                outcome.candidates = sweeps[i].candidates(place)
                guard entry.pooled != nil else { return failed(outcome, entry, sets) }
                let counter = TrialCounter(kept: journal.kept) { progress(names[i], $0) }
                return try judged(outcome, entry, sets.map { $0.map { $0.taking(own)! } }) {
                    try selections[i].train(entry, task, journal, counter, isInterrupted) {
                        training.taking($0.layers ?? own)!
                    }
                }
            }
        }
    }
}
