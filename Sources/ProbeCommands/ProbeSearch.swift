package import AttentionProbes

/// A selection as options describe it. What would fail in the end is refused before anything is trained.
package struct ProbeSearch {
    /// The sequences, with the layers that contend, if there are such.
    let data: ActivationSet
    private let task: ProbeTask
    private let selection: Selection
    private let isSwept: Bool
    private let watch: Watch
    private let farewell: @Sendable () -> String
    private let duplicateThreads: Int?

    /// Parameters as `LearningOptions.select` has them.
    package init(
        _ learning: LearningOptions, _ candidates: [Candidate], _ data: ActivationSet, _ task: ProbeTask,
        _ running: RunOptions, _ watch: Watch, farewell: @escaping @Sendable () -> String,
        looksForDuplicates: Bool,
        prepare: () throws -> Void = {}
    ) throws {
        let options = learning.selection
        try learning.checkSelection(fits: task)
        var selection = Selection(candidates)
        selection.folds = options.folds
        selection.metric = options.metric
        selection.average = learning.average ?? 4
        selection.mostRows = options.mostRows(average: selection.average)
        selection.isStreaming = learning.target.streaming
        selection.seed = running.seed
        selection.threads = running.threadCount
        try prepare()
        try candidates.map(\.configuration.kind).checkFit(task)
        if let labels = data.targets?.hardClasses {
            try learning.target.check(negatives: labels.count { $0 == 0 }, data)
        }
        isSwept = learning.sweep.layersEach != nil
        self.data = isSwept ? try learning.sweep.layers(of: data) : data
        (self.task, self.selection, self.watch, self.farewell) = (task, selection, watch, farewell)
        duplicateThreads = looksForDuplicates ? running.threadCount : nil
    }

    /// Selects, and trains what was chosen.
    func run(journal: String?) throws -> SelectionResult {
        isSwept
            ? try selection.run(
                eachLayerOf: data, task: task, bootstrap: Bootstrap(seed: selection.seed), journal: journal,
                starting: start, progress: tell, isInterrupted: watch.isInterrupted)
            : try selection.run(
                data, task: task, journal: journal, starting: start, progress: tell,
                isInterrupted: watch.isInterrupted)
    }

    /// Does a share of what is to be trained next.
    package func train(_ share: TrainingShare, journal: String) throws {
        try selection.train(
            share, of: data, task: task, eachLayer: isSwept, journal: journal, starting: start,
            progress: tell, isInterrupted: watch.isInterrupted)
    }

    private func start(_ folds: Folds) throws {
        // To look for near duplicates may take long, and nothing is lost.
        watch.mayEnd(farewell())
        defer { watch.mayEnd(nil) }
        let layers = isSwept ? try "\(data.eachLayer().count) layers, each with " : ""
        try watch.introduce(
            data, task,
            "\(layers)\(counted(selection.candidates.count, "candidate")), \(folds.count) folds",
            threads: duplicateThreads)
    }

    private var tell: @Sendable (Selection.Progress) -> Void {
        { [watch, farewell] report in
            watch.mayEnd(farewell())
            watch.progress(.selection(report))
        }
    }
}
