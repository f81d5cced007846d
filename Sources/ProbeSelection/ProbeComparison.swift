public import ProbeTraining
import Tensors
public import Activations
public import ProbeMetrics

/// Kinds of probes against each other on one set of data, each selected in the same way: what the blog's
/// experiment was.
public struct ProbeComparison: Sendable {
    /// One kind of probe with the candidates to select from.
    public struct Model: Sendable {
        /// What to call it: "attention, 8 heads".
        public let name: String
        /// What selection chooses from, at least one.
        public let candidates: [Candidate]

        /// A model.
        public init(name: String, candidates: [Candidate]) {
            self.name = name
            self.candidates = candidates
        }
    }

    /// The models; the first is the baseline.
    public var models: [Model]
    /// How each is selected; its candidates are the model's.
    public var selection: Selection
    /// How intervals are found.
    public var bootstrap = Bootstrap()

    /// A comparison.
    ///
    /// - Precondition: there is a model.
    public init(_ models: [Model], selection: Selection) {
        precondition(!models.isEmpty, "no models")
        self.models = models
        self.selection = selection
    }

    /// What came of a comparison.
    public struct Result: Sendable {
        /// The models' metrics.
        public let dataSet: Comparison.DataSet
        let journal: SelectionJournal

        /// Removes the file that keeps trainings: call it when the metrics are where they should be.
        package func removeJournal() { journal.remove() }
    }

    /// Selects and trains every model on one set and judges it on another. Intervals are from a
    /// stratified bootstrap of the test sequences, differences from the same resamples for both probes. A
    /// model that cannot be trained, or that the test data overflow, has a failure in place of a metric.
    ///
    /// - Parameters:
    ///   - name: what to call the data.
    ///   - journal: a file that keeps trainings as they end, as for `Selection.run`; nil for none.
    ///   - resumed: told how many trainings the journal had, if there are any, before the first of its own.
    ///   - progress: is told the model and how far its selection has come.
    /// - Throws: as `Selection.run`; `DataError` where the test data do not fit (`check`).
    public func run(
        _ training: ActivationSet, test: ActivationSet, task: ProbeTask? = nil, name: String,
        journal: String? = nil, resumed: (Int) -> Void = { _ in },
        progress: @escaping @Sendable (String, Selection.Progress) -> Void = { _, _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> Result {
        let task = try task ?? training.task()
        try check(training, test: test, task: task)
        let training = try training.labelled(for: task)
        let test = try test.labelled(for: task)
        let folds = try selection.split(training, task: task)
        let journal = try selection.journal(journal, training, task, folds, isInterrupted)
        if journal.kept > 0 { resumed(journal.kept) }
        let outcomes = try models.map { model in
            let counter = TrialCounter(kept: journal.kept) { progress(model.name, $0) }
            var selection = selection
            selection.candidates = model.candidates
            let (entries, _) = try selection.entries(training, task, folds, journal, counter, isInterrupted)
            var outcome = Outcome(candidates: entries.map(SelectionResult.Row.init))
            guard let chosen = entries.first(where: \.isChosen) else {
                outcome.failure = entries[0].failure ?? "no metric on any fold"
                return outcome
            }
            do {
                let probe = try selection.train(chosen, training, task, counter, isInterrupted)
                let scored = try probe.scored(test, threads: selection.threads)
                outcome.logits = scored.scores.logits
                outcome.entropyRatio = scored.entropyRatios.flatMap { mean($0) }
            } catch let error as DataError where error.rule == .overflow {
                outcome.failure = "\(error)"
            }
            return outcome
        }
        return Result(
            dataSet: Comparison.DataSet(
                name: name, metric: (selection.metric ?? .suited(to: task)).scoreTitle,
                baseline: models[0].name, rows: try rows(outcomes, test, task)),
            journal: journal)
    }

    private struct Outcome {
        let candidates: [SelectionResult.Row]
        var logits: Matrix?
        var entropyRatio: Double?
        var failure: String?
    }

    private func rows(_ outcomes: [Outcome], _ test: ActivationSet, _ task: ProbeTask) throws
        -> [Comparison.Row]
    {
        let metric = selection.metric ?? .suited(to: task)
        let targets = try test.targets(for: task)
        let judged = outcomes.map { $0.logits.map { Outcomes(task, targets, logits: $0) } }
        @Sendable func metrics(_ resample: [Int]) -> [Double?] {
            let values = judged.map { $0.flatMap { metric.score($0.sample(of: resample)) } }
            let differences = values.dropFirst().map { value in
                value.flatMap { value in values[0].map { value - $0 } }
            }
            return values + differences
        }
        let strata = Dictionary(grouping: test.indices) { test.strata[$0] }.sorted { $0.key < $1.key }
        let intervals = try bootstrap.intervals(
            strata: strata.map(\.value), threads: selection.threads, metrics)
        let values = metrics(Array(test.indices))
        return models.indices.map { i in
            let difference = i == 0 ? nil : models.count + i - 1
            return Comparison.Row(
                name: models[i].name, value: values[i], low: intervals[i]?.lowerBound,
                high: intervals[i]?.upperBound, difference: difference.flatMap { values[$0] },
                differenceLow: difference.flatMap { intervals[$0]?.lowerBound },
                differenceHigh: difference.flatMap { intervals[$0]?.upperBound },
                entropyRatio: outcomes[i].entropyRatio, failure: outcomes[i].failure,
                candidates: outcomes[i].candidates)
        }
    }
}
