import ArgumentParser
import AttentionProbes

/// A selection as `train --select` runs it: progress, table, probe and out-of-fold scores.
struct ProbeChoice {
    let options: SelectionOptions
    let shared: SharedOptions
    let out: String
    let average: Int
    let isDefaultGrid: Bool
    let json: Bool

    func run(_ candidates: [Candidate], _ data: ActivationSet, _ task: ProbeTask) throws {
        if let metric = options.metric, !metric.fits(task) {
            throw ValidationError(
                "--metric: expected a metric of a \(task.name) task, found \(metric.scoreName)")
        }
        let target = options.target
        if !task.isBinary, target.falsePositiveRate != nil || options.calibration ?? .none != .none {
            throw ValidationError(
                "--\(target.falsePositiveRate == nil ? "calibration" : "fpr"): expected it only with a binary task, "
                    + "found \(task.name)")
        }
        var selection = Selection(candidates)
        selection.folds = options.folds
        selection.prefersEarlier = isDefaultGrid
        selection.metric = options.metric
        selection.average = average
        selection.isStreaming = target.streaming
        selection.seed = shared.seed
        selection.threads = shared.threadCount

        // Outputs, kinds and sizes that would fail in the end are refused before anything is trained.
        guard !isSameFile(outOfFoldPath, out), outOfFoldPath != out else {
            throw ValidationError("--out-of-fold: expected another file than --out, found \(out)")
        }
        try SharedOptions.checkOutput(outOfFoldPath, option: "out-of-fold")
        try SharedOptions.checkOutput(OutputFile.partialPath(journal))
        try OutputFile.check(path: outOfFoldPath)
        try candidates.map(\.configuration.kind).checkFit(task)
        if let labels = data.targets?.hardClasses {
            try target.check(negatives: labels.count { $0 == 0 }, data)
        }

        let interrupt = Interrupt(isQuiet: shared.quiet)
        let line = ProgressLine(isShown: !shared.quiet)
        let result: SelectionResult
        do {
            result = try selection.run(
                data, task: task, journal: journal,
                starting: { folds in
                    // To look for near duplicates may take long, and nothing is lost.
                    interrupt.mayEnd(Self.farewell)
                    defer { interrupt.mayEnd(nil) }
                    try shared.introduce(
                        data, task, "\(counted(candidates.count, "candidate")), \(folds.count) folds")
                },
                progress: { report in
                    interrupt.mayEnd(Self.farewell)
                    line.show(progress(report, line.elapsed))
                }, isInterrupted: { interrupt.isSet })
            interrupt.mayEnd(nil)
        } catch is CancellationError {
            line.finish()
            shared.note(Self.farewell)
            throw ExitCode(130)
        }
        line.finish()
        let probe = try target.errors(data) {
            try result.deployed(
                data, calibration: options.calibration ?? .platt,
                falsePositiveRate: target.falsePositiveRate, confidence: target.confidence ?? 0.95)
        }
        let scores = try OutputFile(path: outOfFoldPath)
        try scores.write(result.outOfFoldLines(data, by: probe))
        try scores.commit()
        try probe.write(to: out)
        let left = result.removeJournal()
        if task.isBinary, options.calibration != Calibration.Method.none, probe.calibration == nil {
            shared.note("no calibration: out-of-fold scores do not rise with the labels")
        }
        try StandardOutput.print(
            json ? Summary(result, probe, out, outOfFoldPath).json() : result.table)
        shared.note("saved \(out): \(result.chosen.name), trained on all sequences")
        shared.note("saved \(outOfFoldPath): scores of every sequence by probes that did not see its fold")
        if left > 0 {
            shared.note(
                "kept \(OutputFile.partialPath(journal)): \(left) trainings of an interrupted selection that "
                    + "were of no use here; its own command goes on from there")
        }
        if let rule = probe.thresholdRule { shared.note(rule.sentence(probe.threshold)) }
    }

    private static let farewell = "interrupted; the same command goes on from here"

    private var journal: String { out + ".selection" }

    private var outOfFoldPath: String {
        if let path = options.outOfFold { return path }
        let suffix = ".safetensors"
        return (out.hasSuffix(suffix) ? String(out.dropLast(suffix.count)) : out) + ".out-of-fold.jsonl"
    }

    private func progress(_ report: Selection.Progress, _ elapsed: Double) -> String {
        let left = elapsed / Double(report.done) * Double(report.total - report.done)
        let kept = report.kept > 0 ? " (\(report.kept) from before)" : ""
        let total = String(report.total)
        return "training \(String(report.done).padded(to: total.count))/\(total)\(kept) "
            + "\(bar(report.done, of: report.total)) \(clock(elapsed))<\(clock(left)) \(report.name)"
    }

    private struct Summary: Encodable {
        let probe, out_of_fold, chosen, metric, task: String
        let positive: String?
        let score: Double?
        let threshold: Double?
        let threshold_rule: ThresholdRule?
        let folds: Int
        let candidates: [SelectionResult.Row]

        init(_ result: SelectionResult, _ deployed: Probe, _ path: String, _ scores: String) {
            (probe, out_of_fold, chosen) = (path, scores, result.chosen.name)
            (metric, score) = (result.metric.scoreName, result.chosen.score)
            (task, positive) = (deployed.task.name, deployed.task.positiveClass)
            threshold = deployed.task.hasThreshold ? deployed.threshold : nil
            threshold_rule = deployed.thresholdRule
            folds = result.folds.count
            candidates = result.rows
        }
    }
}
