import ArgumentParser
import AttentionProbes

/// A selection as `train --select` runs it: progress, table, probe and out-of-fold scores.
struct ProbeChoice {
    let options: LearningOptions
    let shared: SharedOptions
    let out: String
    let json: Bool

    func run(_ candidates: [Candidate], _ data: ActivationSet, _ task: ProbeTask) throws {
        let interrupt = Interrupt(isQuiet: shared.quiet)
        let line = ProgressLine(isShown: !shared.quiet)
        var watch = shared.notes
        watch.progress = { progress in
            if case .selection(let report) = progress { line.show(Self.progress(report, line.elapsed)) }
        }
        watch.isInterrupted = { interrupt.isSet }
        watch.mayEnd = { interrupt.mayEnd($0) }
        let selected: SelectedProbe
        do {
            selected = try options.select(
                candidates, data, task, journal: journal, shared.running, watch,
                farewell: { [journal] in Interrupt.farewell([journal]) },
                looksForDuplicates: !shared.quiet
            ) {
                guard !isSameFile(outOfFoldPath, out), outOfFoldPath != out else {
                    throw ValidationError("--out-of-fold: expected another file than --out, found \(out)")
                }
                try SharedOptions.checkOutput(outOfFoldPath, option: "out-of-fold")
                try SharedOptions.checkOutput(OutputFile.partialPath(journal))
                try OutputFile.check(path: outOfFoldPath)
            }
        } catch is CancellationError {
            line.finish()
            shared.note(Interrupt.farewell([journal]))
            throw ExitCode(130)
        }
        line.finish()
        let (result, probe) = (selected.result, selected.probe)
        let scores = try OutputFile(path: outOfFoldPath)
        try scores.write(result.outOfFoldLines(data, by: probe))
        try scores.commit()
        try probe.write(to: out)
        let left = result.removeJournal()
        try StandardOutput.print(
            json
                ? shared.json(selected.summary(out, outOfFold: outOfFoldPath))
                : result.layers.isEmpty ? result.table : result.layerTable)
        shared.note("saved \(out): \(result.chosen.name), trained on all sequences")
        shared.note("saved \(outOfFoldPath): scores of every sequence by probes that did not see its fold")
        if left > 0 {
            shared.note(
                "kept \(OutputFile.partialPath(journal)): \(left) trainings of an interrupted selection that "
                    + "were of no use here; its own command goes on from there")
        }
        if let rule = probe.thresholdRule { shared.note(rule.sentence(probe.threshold)) }
    }

    private var journal: String { out + ".selection" }

    private var outOfFoldPath: String {
        if let path = options.selection.outOfFold { return path }
        let suffix = ".safetensors"
        return (out.hasSuffix(suffix) ? String(out.dropLast(suffix.count)) : out) + ".out-of-fold.jsonl"
    }

    private static func progress(_ report: Selection.Progress, _ elapsed: Double) -> String {
        let left = elapsed / Double(report.done) * Double(report.total - report.done)
        let kept = report.kept > 0 ? " (\(report.kept) from before)" : ""
        let total = String(report.total)
        return "training \(String(report.done).padded(to: total.count))/\(total)\(kept) "
            + "\(bar(report.done, of: report.total)) \(clock(elapsed))<\(clock(left)) \(report.name)"
    }
}
