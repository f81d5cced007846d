import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare kinds of probes, each selected in the same way, on test data.",
        usage: "attnprobe compare DATA... --test DATA... [--report out.html] [options]",
        discussion: """
            Every kind is selected by cross-validation on DATA and judged on the test data, with 95 % \
            intervals and the paired difference to the first, the baseline. Several DATA are several \
            sets, each with its own --test, in the same order; a set is a file or a folder.

              attnprobe compare train.safetensors --test test.safetensors
              attnprobe compare a/train b/train --test a/test b/test --report compare.html
            """)

    @Argument(help: "Activation files or folders to train on, one a set.")
    var data: [String]
    @Option(
        name: .customLong("test"), parsing: .upToNextOption,
        help: "Activation files or folders to judge by, one a set.")
    var tests: [String]
    @Option(help: "Kinds of probes; the first is the baseline. (default: mean,last,attention)")
    var kind: CommaList<ProbeKind>?
    @Option(help: "Heads of those that have them, each a probe of its own. (default: 1,2,8)")
    var heads: CommaList<Int>?
    @Option(help: "Penalties to select from. (default: 0.001,0.01,0.1)")
    var l2: CommaList<Float>?
    @Option(help: "Seeds to average, where an average is a probe. (default: 1)")
    var average = 1
    @Option(help: "Folds of the cross-validation. (default: 5; 10 below 1000 sequences)")
    var folds: Int?
    @Option(help: "Figure to compare. (default: auroc; accuracy for several classes, r2 for regression)")
    var metric: SelectionMetric?
    @Option(help: "Draws of the bootstrap for intervals.")
    var bootstrap = 1000
    @Option(help: "Also write a page with plots.")
    var report: String?
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        func check(_ isValid: Bool, _ name: String, _ expected: String) throws {
            guard isValid else { throw ValidationError("--\(name): expected \(expected)") }
        }
        try check(
            tests.count == data.count, "test",
            "as many as there are DATA, \(data.count), found \(tests.count)")
        try check(
            (heads?.values ?? []).allSatisfy { (1...4096).contains($0) }, "heads", "numbers from 1 to 4096")
        try check((l2?.values ?? []).allSatisfy { $0 >= 0 && $0.isFinite }, "l2", "0 or positive numbers")
        try check((1...1000).contains(average), "average", "a number from 1 to 1000")
        try check((2...1000).contains(folds ?? 2), "folds", "a number from 2 to 1000")
        try check((1...1_000_000).contains(bootstrap), "bootstrap", "a number from 1 to 1000000")
        try check(
            heads == nil || kinds.contains(where: \.hasHeads), "heads", "a kind that has heads")
    }

    private var kinds: [ProbeKind] { kind?.values ?? [.mean, .last, .attention] }

    func run() throws {
        if let report {
            try shared.checkOutput(report, isNoneOf: data + tests)
            try OutputFile.check(path: report)
        }
        let sets = try zip(data, tests).map { (try shared.open([$0]), try shared.open([$1])) }
        let tasks = try sets.map { try $0.0.task() }
        for ((training, test), task) in zip(sets, tasks) {
            try kinds.checkFit(task)
            try training.checkFits(test, task)
            guard metric?.fits(task) ?? true else {
                throw ValidationError("--metric: expected a figure of a \(task.name) task")
            }
        }
        let interrupt = Interrupt()
        let line = ProgressLine(isShown: !shared.quiet)
        var results: [Comparison.DataSet] = []
        do {
            try withExtendedLifetime(interrupt) {
                for (i, (training, test)) in sets.enumerated() {
                    let name = Self.name(data[i])
                    results.append(
                        try contest(tasks[i]).run(
                            training, test: test, task: tasks[i], name: name,
                            progress: { contender, report in
                                line.show(
                                    "\(name): \(contender) \(bar(report.done, of: report.total)) "
                                        + clock(line.elapsed))
                            }, isInterrupted: { [flag = interrupt.flag] in flag.isSet }))
                }
            }
        } catch is CancellationError {
            line.finish()
            throw ExitCode(130)
        }
        line.finish()
        let comparison = Comparison(dataSets: results)
        if let report { try ComparisonReport(comparison).write(to: report) }
        try StandardOutput.print(
            json ? comparison.json() : results.map(\.table).joined(separator: "\n\n"))
        if let report { shared.note("saved \(report)") }
    }

    private func contest(_ task: ProbeTask) -> Contest {
        let contenders = kinds.flatMap { kind -> [Contest.Contender] in
            (kind.hasHeads ? heads?.values ?? [1, 2, 8] : [1]).map { heads in
                var grid = CandidateGrid()
                grid.kinds = [kind]
                grid.heads = [heads]
                grid.l2 = l2?.values ?? [0.001, 0.01, 0.1]
                let name =
                    kind.hasHeads ? "\(kind.rawValue), \(heads) head\(heads == 1 ? "" : "s")" : kind.rawValue
                return Contest.Contender(name: name, candidates: grid.candidates(for: task))
            }
        }
        var selection = Selection(contenders[0].candidates)
        selection.folds = folds
        selection.metric = metric
        selection.average = average
        selection.seed = shared.seed
        selection.threads = shared.threadCount
        var contest = Contest(contenders, selection: selection)
        contest.bootstrap = Bootstrap(replicates: bootstrap, seed: shared.seed)
        return contest
    }

    // "injection" of "data/injection-train.safetensors".
    private static func name(_ path: String) -> String {
        let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        return name.hasSuffix("-train") ? String(name.dropLast(6)) : name
    }
}

extension Comparison.DataSet {
    /// The probes, the baseline first: figure and interval, difference and interval, entropy ratio.
    var table: String {
        let width = max(rows.map(\.name.count).max() ?? 0, 5)
        func interval(_ low: Double?, _ high: Double?) -> String {
            guard let low, let high else { return "" }
            return String(format: "(%.3f to %.3f)", low, high)
        }
        let head =
            "probe".filled(to: width + 2) + metric.filled(to: 23) + "less \(baseline)".filled(to: 26)
            + "entropy"
        let lines = rows.map { row in
            let value = String(format: "%.3f ", row.value) + interval(row.low, row.high)
            let difference = row.difference.map {
                String(format: "%+.3f ", $0) + interval(row.differenceLow, row.differenceHigh)
            }
            let entropy = row.entropyRatio.map { String(format: "%.2f", $0) } ?? ""
            return row.name.filled(to: width + 2) + value.filled(to: 23) + (difference ?? "").filled(to: 26)
                + entropy
        }
        return ([name, head] + lines).map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
