import ArgumentParser
import AttentionProbes

struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit probabilities and a threshold of a probe on data that it was not trained on.",
        usage: "attnprobe calibrate PROBE DATA... --out PROBE [--fpr RATE [--streaming]] [options]",
        discussion: """
            Nothing is trained. The data should be like those that the probe will meet, and none of them \
            may have been trained on. Without --fpr the threshold becomes 0.5.

              attnprobe calibrate probe.safetensors held-out.safetensors --out monitor.safetensors \\
                  --fpr 0.01 --streaming
            """)

    @Argument(help: "The probe file.")
    var probe: String
    @Argument(help: "Activation files or folders, with labels.")
    var data: [String]
    @Option(name: [.short, .long], help: "The probe file to write.")
    var out: String
    @Option(help: "How outputs become probabilities.")
    var calibration = Calibration.Method.platt
    @OptionGroup var target: ThresholdOptions
    @Flag(help: "Print a JSON object about the probe on standard output.")
    var json = false
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let path = probe
        SharedOptions.reads([path])
        let probe = try Probe(path: path)
        guard probe.task.isBinary else {
            throw DataError(
                .mismatch, path, "metadata task", expected: "binary, of which there is a threshold",
                found: probe.task.name)
        }
        let data = try probe.labelled(shared.open(data, labels: labelling, for: [probe]))
        shared.warnOfTraining(probe, data)
        shared.noteSoftLabels(data)
        try SharedOptions.checkOutput(out)
        try OutputFile.check(path: out)
        // Labels of two classes are classes or probabilities of one.
        let labels = try data.targets(for: probe.task).hardClasses!
        try target.check(negatives: labels.count { $0 == 0 }, data)

        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        var progress = ScoreProgress(data)
        func show(_ range: Range<Int>) {
            progress.add(range)
            line.show(progress.line(line.elapsed))
        }
        let scored = try probe.scored(data, threads: shared.threadCount, progress: show)
        if target.streaming { progress = ScoreProgress(data) }
        let streamed =
            target.streaming ? try probe.streamed(data, threads: shared.threadCount, progress: show) : nil
        line.finish()
        var notes = TrainingRecord()
        notes[.calibrationData] = data.fileRecord
        let scores = UnseenScores(
            logits: scored.scores.logits.storage, largestLogits: streamed?.largestLogits, labels: labels,
            weights: data.weights)
        let calibrated = try target.errors(data) {
            try probe.deployed(
                by: scores, calibration: calibration, falsePositiveRate: target.falsePositiveRate,
                confidence: target.confidence ?? 0.95, noting: notes)
        }
        if calibration != .none, calibrated.calibration == nil {
            shared.note("no calibration: scores do not rise with the labels")
        }
        try calibrated.write(to: out)
        if json { try StandardOutput.print(Summary(calibrated, out, data).json()) }
        shared.note("saved \(out)")
        shared.note(calibrated.thresholdRule?.sentence(calibrated.threshold) ?? "threshold 0.5")
    }

    private struct Summary: Encodable {
        let probe: String
        let sequences: Int
        let threshold: Double
        let threshold_rule: ThresholdRule?
        let calibration: Calibration?

        init(_ calibrated: Probe, _ path: String, _ data: ActivationSet) {
            (probe, sequences, threshold) = (path, data.count, calibrated.threshold)
            (threshold_rule, calibration) = (calibrated.thresholdRule, calibrated.calibration)
        }
    }
}
