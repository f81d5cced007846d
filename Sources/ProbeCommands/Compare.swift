import ArgumentParser
import AttentionProbes

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare kinds of probes, each selected in the same way, on test data.",
        usage: "attnprobe compare DATA... --test DATA... [--report out.html] [options]",
        discussion: """
            Every kind is selected by cross-validation on DATA and judged on the test data, with 95 % \
            intervals and the paired difference to the first, the baseline. One DATA may have several \
            --test. Several DATA are several sets, each with its own --test, in the same order, or with \
            --transfer sets of which each is judged by all others, and by itself by cross-validation. A set is a \
            file or a folder.

            Trainings are kept until all are done: in a file .comparison.partial beside the report, or \
            without --report in the current folder. With it the same command goes on where it was \
            interrupted.

              attnprobe compare train.safetensors --test test.safetensors --controls
              attnprobe compare a/train b/train --test a/test b/test --report compare.html
              attnprobe compare emails.safetensors websites.safetensors --transfer
            """)

    @Argument(help: "Activation files or folders to train on, one a set.")
    var data: [String]
    @Option(
        name: .customLong("test"), parsing: .upToNextOption,
        help: "Activation files or folders to judge by, one a set; for one DATA any number.")
    var tests: [String] = []
    @Flag(help: "Train on each DATA and judge by every other, and by itself by cross-validation.")
    var transfer = false
    @Flag(
        help: """
            Also tell what is reached without what the probes are to find, and how far each is above the best of these \
            controls.
            """)
    var controls = false
    @OptionGroup var column: ConfoundOption
    @OptionGroup var sweep: LayerSweepOption
    @Option(help: "Kinds of probes; the first is the baseline. (default: mean,last,attention)")
    var kind: CommaList<ProbeKind>?
    @Option(help: "Heads of those that have them, each a probe of its own. (default: 1,2,8)")
    var heads: CommaList<Int>?
    @Option(help: "Penalties to select from. (default: 0.001,0.01,0.1)")
    var l2: CommaList<Float>?
    @Option(help: "Seeds to average, where an average is a probe.")
    var average = 1
    @Option(help: "Folds of the cross-validation. (default: 5; 10 below 1000 sequences)")
    var folds: Int?
    @Option(help: "Metric to compare. (default: auroc; accuracy for several classes, r2 for regression)")
    var metric: Metric?
    @OptionGroup var grouping: GroupOption
    @Option(help: "Draws of the bootstrap for intervals.")
    var bootstrap = 1000
    @Option(help: "Also write a page with plots.")
    var report: String?
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var goal: TaskOptions
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard column.confound == nil || controls else {
            throw ValidationError("--confound: expected it only with --controls")
        }
        if transfer {
            try require(tests.count, "test", "none with --transfer") { $0 == 0 }
            guard data.count > 1 else {
                throw ValidationError("--transfer: expected at least two DATA, found \(data.count)")
            }
        } else if data.count > 1 {
            try require(tests.count, "test", "as many as there are DATA, \(data.count)") { $0 == data.count }
        } else {
            try require(tests.count, "test", "at least one") { $0 > 0 }
        }
        try require(heads, .heads)
        try require(l2, "l2", "0 or a positive number") { $0 >= 0 && $0.isFinite }
        try require(average, "average", to: 1000)
        try require(folds, "folds", from: 2, to: 1000)
        try require(bootstrap, "bootstrap", to: Bootstrap.mostReplicates)
        try kinds.check(heads, .heads)
        try kinds.checkTrained(l2, "l2")
        try kinds.flatMap { kind in headCounts(kind).map { ProbeConfiguration(kind, heads: $0) } }
            .checkAverage(average)
    }

    private var kinds: [ProbeKind] { kind?.values ?? [.mean, .last, .attention] }

    func run() throws {
        let sets = try openSets()
        if let report {
            try SharedOptions.checkOutput(report, option: "report")
            try OutputFile.check(path: report)
        }
        for path in data.indices.compactMap(journal) {
            try SharedOptions.checkOutput(OutputFile.partialPath(path), option: "report")
        }
        for set in sets {
            try self.comparison(set.task).check(set.training, tests: set.tests, task: set.task)
        }
        let interrupt = Interrupt(isQuiet: shared.quiet)
        let line = ProgressLine(isShown: !shared.quiet)
        var results: [ProbeComparison.Result] = []
        var keepsTrainings = true
        do {
            for (i, set) in sets.enumerated() {
                results.append(try run(set, i, line, &keepsTrainings, interrupt))
            }
            interrupt.mayEnd(nil)
        } catch is CancellationError {
            line.finish()
            shared.note(Interrupt.farewell(keepsTrainings ? data.indices.compactMap(journal) : []))
            throw ExitCode(130)
        }
        line.finish()
        let comparison = Comparison(dataSets: results.flatMap(\.dataSets))
        if let report { try ComparisonReport(comparison).write(to: report) }
        try StandardOutput.print(json ? shared.json(comparison) : comparison.table)
        for result in results { result.removeJournal() }
        if let report { shared.note("saved \(report)") }
        for (result, path) in zip(results, data) {
            for set in result.dataSets { try set.checkMetrics(path) }
        }
    }

    private typealias Training = (name: String, data: ActivationSet, task: ProbeTask)
    private typealias DataSet = (
        name: String, training: ActivationSet, tests: [ProbeComparison.Test], task: ProbeTask
    )

    private func openSets() throws -> [DataSet] {
        guard !transfer else {
            let (names, sets) = (setNames(data), try data.map(open))
            return sets.enumerated().map { i, own in
                let tests = zip(names, sets).enumerated().map { j, set in
                    ProbeComparison.Test(name: set.0, data: i == j ? nil : set.1.data)
                }
                return (names[i], own.data, tests, own.task)
            }
        }
        let names = setNames(tests)
        return try data.indices.map { i in
            let training = try open(data[i])
            let own = data.count == 1 ? Array(tests.indices) : [i]
            return (
                training.name, training.data,
                try own.map { test in
                    ProbeComparison.Test(
                        name: names[test],
                        data: try open([tests[test]], training.task))
                }, training.task
            )
        }
    }

    private func open(_ paths: [String], _ task: ProbeTask?) throws -> ActivationSet {
        try shared.open(paths, labels: labelling, task: task, swept: sweep.layersEach)
    }

    private func open(_ path: String) throws -> Training {
        let training = try grouping.grouped(open([path], goal.expected))
        let task = try goal.task(of: training)
        try kinds.checkFit(task)
        guard metric?.fits(task) ?? true else {
            throw ValidationError("--metric: expected a metric of a \(task.name) task")
        }
        let labelled = try training.labelled(for: task)
        shared.notes.noteSoftLabels(labelled)
        return (Self.name(path), labelled, task)
    }

    private func run(
        _ set: DataSet, _ number: Int, _ line: ProgressLine, _ keepsTrainings: inout Bool,
        _ interrupt: Interrupt
    ) throws -> ProbeComparison.Result {
        let comparison = comparison(set.task)
        let folds = comparison.selection.folds(for: set.training)
        let layers = try sweep.layersEach.map { _ in try "\(set.training.eachLayer().count) layers, " } ?? ""
        try shared.notes.introduce(
            set.training, set.task, "\(layers)\(counted(comparison.models.count, "probe")), \(folds) folds",
            threads: shared.quiet ? nil : shared.threadCount)
        func run(_ journal: String?) throws -> ProbeComparison.Result {
            try comparison.run(
                set.training, tests: set.tests, task: set.task, name: set.name, journal: journal,
                resumed: { kept in
                    shared.note(
                        "going on from \(OutputFile.partialPath(journal!)), which has \(counted(kept, "training"))"
                    )
                },
                progress: { model, report in
                    // Trainings that have ended are kept: the resampling behind them need not stop by itself.
                    interrupt.mayEnd(Interrupt.farewell(journal.map { [$0] } ?? []))
                    line.show(
                        "\(set.name): \(model) \(bar(report.done, of: report.total)) "
                            + clock(line.elapsed))
                }, isInterrupted: { interrupt.isSet })
        }
        let journal = journal(number)
        keepsTrainings = journal != nil
        do {
            return try run(journal)
        } catch let error as SystemError where error.operation == "lock" && report == nil {
            shared.note("\(error); another comparison runs here, and this one will not go on if interrupted")
            keepsTrainings = false
            return try run(nil)
        }
    }

    // Where trainings of a set are kept; nil where nobody named a place and this folder takes no files.
    private func journal(_ number: Int) -> String? {
        let base = report ?? Self.name(data[number])
        let path = base + (data.count > 1 ? ".\(number + 1)" : "") + ".comparison"
        let isWritable = (try? OutputFile.check(path: OutputFile.partialPath(path))) != nil
        return report != nil || isWritable ? path : nil
    }

    private func headCounts(_ kind: ProbeKind) -> [Int] { kind.hasHeads ? heads?.values ?? [1, 2, 8] : [1] }

    private func models(for task: ProbeTask) -> [ProbeComparison.Model] {
        kinds.flatMap { kind -> [ProbeComparison.Model] in
            headCounts(kind).map { heads in
                var grid = CandidateGrid()
                grid.kinds = [kind]
                grid.heads = [heads]
                grid.l2 = l2?.values ?? [0.001, 0.01, 0.1]
                let name =
                    kind.hasHeads ? "\(kind.rawValue), \(heads) head\(heads == 1 ? "" : "s")" : kind.rawValue
                return ProbeComparison.Model(name: name, candidates: grid.candidates(for: task))
            }
        }
    }

    private func comparison(_ task: ProbeTask) -> ProbeComparison {
        let models = models(for: task)
        var selection = Selection(models[0].candidates)
        selection.folds = folds
        selection.metric = metric
        selection.average = average
        selection.seed = shared.seed
        selection.threads = shared.threadCount
        var comparison = ProbeComparison(models, selection: selection)
        comparison.bootstrap = Bootstrap(replicates: bootstrap, seed: shared.seed)
        comparison.comparesLayers = sweep.layersEach != nil
        // Ensembles of different sets need not be of the same layers.
        comparison.mostRowsAcrossLayers = transfer ? 0 : Selection.usualRows(average: 4)
        if controls {
            // Shuffled labels are for the configuration with the most heads, which can memorise the most.
            let largest = models.map { $0.candidates[0].configuration }.max { $0.heads < $1.heads }!
            comparison.controls = column.controls(largest, selection, shared.running, labels: labelling)
        }
        return comparison
    }

    // "injection" of "data/injection-train.safetensors".
    private static func name(_ path: String) -> String {
        let name = stem(path)
        return name.hasSuffix("-train") ? String(name.dropLast(6)) : name
    }
}

extension Comparison.DataSet {
    /// An error where not one probe has a metric.
    fileprivate func checkMetrics(_ path: String) throws(DataError) {
        guard rows.allSatisfy({ $0.value == nil }) else { return }
        throw DataError(
            .overflow, path, expected: "at least one probe that can be trained and scored",
            found: "none")
    }
}
