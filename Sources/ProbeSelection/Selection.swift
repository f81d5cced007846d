// Which probe to train, chosen by cross-validation:
//
// 1. Every candidate is trained once on each set of k-1 folds and scored on the fold left out. Folds are
//    the same for all candidates, stratified, with groups whole. Candidates are compared by the metric of
//    all sequences together (`SelectionEntry.pooled`).
// 2. The best few whose average is a probe of the same kind (`Probe.average`) are trained with more
//    seeds, and their averages scored on the same folds: the spread between seeds is as large as that
//    between kinds.
// 3. Those that folds cannot tell from the best make an ensemble, which contends with them
//    (EnsembleSelection.swift).
// 4. The best is trained on all sequences, with as many seeds.
//
// The score of the chosen one is the largest of several, and so a little too good; metrics of sequences
// that took no part are what `evaluate` is for.
import Tensors
public import Activations
public import ProbeMetrics
public import ProbeTraining
import Probes

/// A choice among candidates by cross-validation.
public struct Selection: Sendable {
    /// What to choose from, at least one.
    package var candidates: [Candidate]
    /// k, the number of folds, at least 2; nil for 10 below a thousand sequences, where every one that
    /// training misses counts, and else 5.
    public var folds: Int?
    /// What candidates are compared by; nil for the usual metric of the task.
    public var metric: Metric?
    /// How many seeds are averaged in the end, where an average is a probe; 1 for none.
    public var average = 4
    /// How many candidates are tried as averages.
    package var finalists = 2
    /// Whether the first candidate is taken that is within one standard error of the best, for candidates
    /// in an order of preference (Breiman et al., 1984); else the best. The error is that of the mean
    /// difference over folds.
    package var prefersEarlier = false
    /// Rows of weights that an average or an ensemble multiplies a token with, at most: 2H for attention of H heads; 0
    /// for no ensembles, and averages of any size.
    public var mostRows = 0
    /// Rows that the command line allows where nothing else is said: 1.3 times those of attention with eight heads and one
    /// output, a query and a value a head, averaged over so many seeds.
    package static func usualRows(average: Int) -> Int { 13 * 2 * 8 * average / 10 }
    /// Whether a threshold is to be for sequences that are looked at after every token: then the chosen probe of each
    /// fold also scores all prefixes of the sequences that it did not see. For two classes.
    public var isStreaming = false
    /// The seed of folds and trainings.
    public var seed: UInt64 = 0
    /// Threads at most; the result does not depend on it.
    public var threads = Parallel.availableThreads
    /// The trainings that are done of those that are open, after which the work ends (`RoundEnd`); nil for all.
    var share: TrainingShare?

    /// A selection.
    ///
    /// - Precondition: there is a candidate.
    public init(_ candidates: [Candidate]) {
        precondition(!candidates.isEmpty, "no candidates")
        self.candidates = candidates
    }

    /// How far a selection has come.
    public struct Progress: Sendable {
        /// Trainings that have ended.
        public let done: Int
        /// Trainings in all, as far as is known: averages are added when their candidates are.
        public let total: Int
        /// Trainings that an earlier run had left.
        package let kept: Int
        /// The candidate of the last training.
        public let name: String
    }

    /// Selects and trains.
    ///
    /// - Parameters:
    ///   - task: what to predict; nil reads it off the labels.
    ///   - journal: a file that keeps trainings as they end, so that the same selection goes on where an
    ///     interrupted one was (at its path with `.partial`, until `SelectionResult.removeJournal`); nil for
    ///     none. Other candidates may share it; other data, folds and seeds may not.
    ///   - starting: told the folds before the first training, when nothing is left to refuse but a journal.
    ///   - progress: told after every training, one call at a time.
    ///   - isInterrupted: asked between steps.
    /// - Throws: `DataError` as `split`, or where the journal is of another selection;
    ///   `MemoryShortage`; `CancellationError` when interrupted.
    public func run(
        _ data: ActivationSet, task: ProbeTask? = nil, journal: String? = nil,
        starting: (Folds) throws -> Void = { _ in },
        progress: @escaping @Sendable (Progress) -> Void = { _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> SelectionResult {
        let task = try task ?? data.task()
        let data = try data.labelled(for: task)
        try checkMemory(data, task: task)
        let folds = try split(data, task: task)
        try starting(folds)
        let journal = try self.journal(journal, data, task, folds, isInterrupted)
        let counter = TrialCounter(kept: journal.kept, progress)
        let validated = try crossValidate(data, task, folds, journal, counter, isInterrupted)
        let chosen = try validated.entries.chosen(data)
        return SelectionResult(
            probe: try train(chosen, task, journal, counter, isInterrupted) { _ in data },
            entries: validated.entries,
            metric: metric ?? .suited(to: task), folds: folds,
            largestLogits: isStreaming
                ? try largestLogits(data, folds) { fold in try chosen.probe { try validated.seeds($0, fold) }
                }
                : nil,
            journal: journal)
    }

    // Of each sequence the largest logit of any prefix, by the probe that did not see its fold.
    func largestLogits(
        _ data: ActivationSet, _ folds: Folds, _ probe: (Int) throws -> Probe
    ) throws -> [Float] {
        var largest = [Float](repeating: 0, count: data.count)
        for fold in 0..<folds.count {
            let rows = folds.heldOut(fold)
            let streamed = try probe(fold).streamedSequences(data.selecting(rows), threads: threads)
            for (row, sequence) in zip(rows, streamed) { largest[row] = sequence.largestLogit }
        }
        return largest
    }

    /// What a cross-validation found.
    struct Validated {
        /// One a candidate, and one of an ensemble; one of them is chosen unless all failed.
        var entries: [SelectionEntry]
        /// Rows of weights of a candidate of one seed.
        let rows: (Candidate) -> Int
        /// A candidate with so many of its seeds, none that was not trained.
        let entry: (Candidate, Int) throws -> SelectionEntry
        /// With `isStreaming` the probes of an entry that is no ensemble, one a seed, that did not see a fold.
        let seeds: (SelectionEntry, Int) throws -> [Probe]
    }

    /// Cross-validates the candidates.
    ///
    /// - Parameters:
    ///   - states: the same sequences in memory; nil for none.
    ///   - layer: the layer that they are of, where there are several.
    func crossValidate(
        _ data: ActivationSet, states: ActivationSet? = nil, of layer: LayerRecord? = nil, _ task: ProbeTask,
        _ folds: Folds, _ journal: SelectionJournal, _ counter: TrialCounter,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> Validated {
        let (targets, weights, width) = (try data.targets(for: task), data.weights, data.width)
        let paths = TrialPaths(candidates: candidates)
        // Made of the states when there is something to train.
        var validation: CrossValidation?
        let sizes = (0..<folds.count).map { folds.heldOut($0).count * task.outputs }
        let architectures = candidates.map {
            $0.configuration.architecture(width: width, outputs: task.outputs)
        }
        func result(_ trial: Trial) throws -> TrialResult? {
            try journal.result(
                key(trial, layer), outputs: sizes[trial.fold],
                parameters: isStreaming ? architectures[trial.candidate].tensors.parameterCount : nil)
        }
        func run(_ trials: [Trial]) throws {
            let open = try paths.open(trials, result: result)
            let own = share?.own(open) { $0.trials.count } ?? open
            if !own.isEmpty {
                counter.expect(own.reduce(0) { $0 + $1.trials.count })
                let made =
                    try validation
                    ?? CrossValidation(
                        states ?? data, task, folds, candidates, seed: seed, threads: threads,
                        keepsParameters: isStreaming)
                validation = made
                try made.run(own, isInterrupted: isInterrupted) { trial, result in
                    try journal.add(key(trial, layer), result)
                    counter.count(candidates[trial.candidate].name)
                }
            }
            if share != nil, !open.isEmpty { throw RoundEnd() }
        }
        func entry(_ candidate: Int, _ replicates: Int) throws -> SelectionEntry {
            try SelectionEntry(
                candidates[candidate], folds, replicates, metric ?? .suited(to: task), targets, task,
                weights: weights
            ) { fold, replicate in
                try result(Trial(candidate: candidate, fold: fold, replicate: replicate))!
            }
        }

        try run(candidates.indices.flatMap { trials($0, 0..<1, folds.count) })
        var entries = try candidates.indices.map { try entry($0, 1) }
        let ranked = entries.indices.filter { entries[$0].pooled != nil && entries[$0].score != nil }.sorted {
            entries[$1].isWorse(than: entries[$0])
        }
        // None where all failed; an average may have failed where its first seed had not.
        func choice() -> Int? { entries.choice(prefersEarlier: prefersEarlier) }
        func rows(_ candidate: Int) -> Int { architectures[candidate].rowsPerToken }
        // Seeds that a candidate may have: those whose rows of weights are within the limit, and one in any case.
        func seeds(_ candidate: Int) -> Int {
            guard candidates[candidate].configuration.canBeAveraged else { return 1 }
            return mostRows > 0 ? max(1, min(average, mostRows / max(1, rows(candidate)))) : average
        }
        var chosen = choice()
        if average > 1 {
            let able = ranked.filter { seeds($0) > 1 }
            // Of each kind one that may become part of an ensemble.
            var kinds: Set<ProbeKind> = []
            var open = able.enumerated().filter { place, candidate in
                let isFirst = kinds.insert(candidates[candidate].configuration.kind).inserted
                return place < finalists
                    || isFirst && rows(candidate) + rows(ranked[0]) <= mostRows
                        && entries[candidate].isWithin(2, of: entries[ranked[0]])
            }.map(\.element)
            // The preferred one is tried as an average too, whichever it turns out to be.
            repeat {
                try run(open.flatMap { trials($0, 1..<seeds($0), folds.count) })
                for candidate in open { entries[candidate] = try entry(candidate, seeds(candidate)) }
                chosen = choice()
                open = [chosen].compactMap(\.self).filter { entries[$0].replicates < seeds($0) }
            } while !open.isEmpty
        }
        if mostRows > 0, let best = chosen {
            let ensembles = EnsembleSelection(
                task: task, targets: targets, folds: folds, metric: metric ?? .suited(to: task),
                weights: weights, mostRows: mostRows
            ) {
                rows(candidates.firstIndex(of: $0.candidate)!)
            } entry: {
                try entry(candidates.firstIndex(of: $0.candidate)!, $1)
            }
            if let ensemble = try ensembles.best(of: entries) {
                entries.append(ensemble)
                if entries[best].isWorse(than: ensemble) { chosen = entries.count - 1 }
            }
        }
        if let chosen { entries[chosen].isChosen = true }
        for i in entries.indices { entries[i].layers = layer }
        return Validated(entries: entries) {
            rows(candidates.firstIndex(of: $0)!)
        } entry: {
            try entry(candidates.firstIndex(of: $0)!, $1)
        } seeds: { member, fold in
            let candidate = candidates.firstIndex(of: member.candidate)!
            return try (0..<member.replicates).map { replicate in
                let trial = Trial(candidate: candidate, fold: fold, replicate: replicate)
                return Probe(
                    member.candidate.configuration, width: width, task: task,
                    parameters: try result(trial)!.parameters!)
            }
        }
    }

    /// What keeps the trainings on these data; nil for memory alone.
    func journal(
        _ path: String?, _ data: ActivationSet, _ task: ProbeTask, _ folds: Folds,
        _ isInterrupted: @Sendable () -> Bool
    ) throws -> SelectionJournal {
        try SelectionJournal(path: path) {
            try data.fingerprint(folds, task, seed: seed, threads: threads, isInterrupted: isInterrupted)
        }
    }

    /// How many folds a set is cut into.
    package func folds(for data: ActivationSet) -> Int { folds ?? (data.count < 1000 ? 10 : 5) }

    private func trials(_ candidate: Int, _ replicates: Range<Int>, _ folds: Int) -> [Trial] {
        replicates.flatMap { replicate in
            (0..<folds).map { Trial(candidate: candidate, fold: $0, replicate: replicate) }
        }
    }

    private func key(_ trial: Trial, _ layer: LayerRecord?) -> String {
        (layer.map { "\($0): " } ?? "")
            + "\(candidates[trial.candidate].key(among: candidates)), fold \(trial.fold), replicate \(trial.replicate)"
    }
}
