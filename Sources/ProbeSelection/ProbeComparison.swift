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
        package let name: String
        /// What selection chooses from, at least one.
        public let candidates: [Candidate]

        /// A model.
        public init(name: String, candidates: [Candidate]) {
            self.name = name
            self.candidates = candidates
        }
    }

    /// The models; the first is the baseline.
    package var models: [Model]
    /// How each is selected; its candidates are the model's.
    package var selection: Selection
    /// How intervals are found.
    public var bootstrap = Bootstrap()
    /// What is reached without what probes are to find, beside them on every test that is not the training data; nil for
    /// no controls.
    public var controls: Controls?
    /// Whether the states are several layers side by side, of which each is selected and judged for itself. Controls see all
    /// of them.
    package var comparesLayers = false
    /// Rows of weights of an ensemble across layers at most, see `Selection.mostRows`; 0 for no such ensembles.
    package var mostRowsAcrossLayers = 0

    /// A comparison.
    ///
    /// - Precondition: there is a model.
    public init(_ models: [Model], selection: Selection) {
        precondition(!models.isEmpty, "no models")
        self.models = models
        self.selection = selection
    }

    /// What probes are judged by.
    public struct Test: Sendable {
        /// What to call it.
        package let name: String
        /// Other sequences; nil for the training data, of which each sequence is judged by probes of folds that did
        /// not see it.
        package let data: ActivationSet?

        /// A test.
        public init(name: String, data: ActivationSet?) {
            self.name = name
            self.data = data
        }
    }

    /// What came of a comparison.
    public struct Result: Sendable {
        /// The models' metrics on each test.
        public let dataSets: [Comparison.DataSet]
        let journal: SelectionJournal

        /// The models' metrics on the first test.
        public var dataSet: Comparison.DataSet { dataSets[0] }

        /// Removes the file that keeps trainings: call it when the metrics are where they should be.
        package func removeJournal() { journal.remove() }
    }

    /// Selects and trains every model on one set and judges it on another; see `run(_:tests:)`.
    public func run(
        _ training: ActivationSet, test: ActivationSet, task: ProbeTask? = nil, name: String,
        journal: String? = nil, resumed: (Int) -> Void = { _ in },
        progress: @escaping @Sendable (String, Selection.Progress) -> Void = { _, _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> Result {
        try run(
            training, tests: [Test(name: name, data: test)], task: task, name: name, journal: journal,
            resumed: resumed, progress: progress, isInterrupted: isInterrupted)
    }

    /// Selects and trains every model on one set and judges it on others. Intervals are from a
    /// stratified bootstrap of the test sequences, differences from the same resamples for both probes. By
    /// cross-validation a metric is the mean over folds, of which each is resampled for itself; it is that of the
    /// candidate that is best by it, and so a little too good. A model that cannot be trained, or that the test data
    /// overflow, has a failure in place of a metric.
    ///
    /// - Parameters:
    ///   - name: what to call the training data.
    ///   - journal: a file that keeps trainings as they end, as for `Selection.run`; nil for none.
    ///   - resumed: told how many trainings the journal had, if there are any, before the first of its own.
    ///   - progress: is told the model and how far its selection has come.
    /// - Precondition: there is a test.
    /// - Throws: as `Selection.run`; `DataError` where the test data do not fit the training data.
    public func run(
        _ training: ActivationSet, tests: [Test], task: ProbeTask? = nil, name: String,
        journal: String? = nil, resumed: (Int) -> Void = { _ in },
        progress: @escaping @Sendable (String, Selection.Progress) -> Void = { _, _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> Result {
        precondition(!tests.isEmpty, "no tests")
        let task = try task ?? training.task()
        try check(training, tests: tests, task: task)
        let training = try training.labelled(for: task)
        let sets = try tests.map { try $0.data?.labelled(for: task) }
        let folds = try selection.split(training, task: task)
        let journal = try selection.journal(journal, training, task, folds, isInterrupted)
        if journal.kept > 0 { resumed(journal.kept) }
        let outcomes =
            comparesLayers
            ? try layerOutcomes(training, sets, task, folds, journal, progress, isInterrupted)
            : try models.map { model in
                let counter = TrialCounter(kept: journal.kept) { progress(model.name, $0) }
                let selection = selection(of: model)
                let entries = try selection.crossValidate(
                    training, task, folds, journal, counter, isInterrupted
                ).entries
                let outcome = ModelOutcome(
                    name: model.name, candidates: entries.map(SelectionResult.Row.init))
                guard let chosen = entries.first(where: \.isChosen) else {
                    return failed(outcome, entries[0], sets)
                }
                return try judged(outcome, chosen, sets) {
                    try selection.train(chosen, task, journal, counter, isInterrupted) { _ in training }
                }
            }
        let controlled = try controls?.run(
            training, tests: sets.compactMap(\.self), task: task, journal: journal,
            progress: { control in
                progress(
                    "control \(control.rawValue)",
                    Selection.Progress(done: 0, total: 1, kept: 0, name: control.rawValue))
            }, isInterrupted: isInterrupted)
        let metric = selection.metric ?? .suited(to: task)
        // Where each set is trained on and judged by, a test alone says too little.
        func title(_ test: Test) -> String {
            tests.contains { $0.data == nil } ? "\(name) to \(test.name)" : test.name
        }
        return Result(
            dataSets: try tests.indices.map { i in
                let number = sets[..<i].count { $0 != nil }
                let judged = try rows(
                    outcomes.map { $0[i] },
                    controls: sets[i] == nil
                        ? []
                        : (controlled ?? []).map { own in
                            ModelOutcome(
                                name: own.control.rawValue,
                                logits: own.logits.isEmpty ? nil : own.logits[number],
                                failure: own.failure)
                        }, sets[i] ?? training, task, sets[i] == nil ? folds : nil)
                return Comparison.DataSet(
                    name: title(tests[i]), training: name, test: tests[i].name,
                    crossValidated: sets[i] == nil, metric: metric.scoreTitle,
                    unseen: (sets[i] ?? training).negatives(task).flatMap {
                        metric.invisibility(negatives: $0)
                    }, baseline: judged.rows[0].name,
                    rows: judged.rows, controls: judged.controls.isEmpty ? nil : judged.controls,
                    bestControl: judged.bestControl)
            },
            journal: journal)
    }
}

extension ActivationSet {
    // How many sequences of a binary task are of the negative class; nil of other tasks.
    fileprivate func negatives(_ task: ProbeTask) -> Int? {
        task.isBinary ? targets?.hardClasses?.count { $0 == 0 } : nil
    }
}
