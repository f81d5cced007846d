import ArgumentParser
package import AttentionProbes

/// What becomes of a probe's probabilities and threshold.
package struct CalibrationOptions: ParsableArguments {
    @Option(help: "How outputs become probabilities.")
    var calibration = Calibration.Method.platt
    @OptionGroup var target: ThresholdOptions

    package init() {}

    /// Fits probabilities and a threshold.
    ///
    /// - Parameters:
    ///   - name: what errors call the probe.
    ///   - data: labelled sequences, which are opened where the probe has a threshold at all.
    ///   - prepare: is given the data, labelled, before they are scored; what it throws ends the work.
    package func calibrated(
        _ probe: Probe, _ name: String, _ data: @autoclosure () throws -> ActivationSet,
        _ running: RunOptions, _ watch: Watch, prepare: () throws -> Void = {}
    ) throws -> CalibratedProbe {
        guard probe.task.isBinary else {
            throw DataError(
                .mismatch, name, "metadata task", expected: "binary, of which there is a threshold",
                found: probe.task.name)
        }
        let data = try probe.labelled(data())
        watch.warnOfTraining(probe, data)
        watch.noteSoftLabels(data)
        try prepare()
        // Labels of two classes are classes or probabilities of one.
        let labels = try data.targets(for: probe.task).hardClasses!
        try target.check(negatives: labels.count { $0 == 0 }, data)
        // A threshold for a rate needs one class; probabilities need both.
        let areAlike = Set(labels).count < 2
        if calibration != .none, target.falsePositiveRate == nil { try data.checkSeveralClasses() }

        let threads = running.threadCount
        let scored = try probe.scored(data, threads: threads, progress: watch.pass(over: data))
        let streamed =
            target.streaming
            ? try probe.streamed(data, threads: threads, progress: watch.pass(over: data)) : nil
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
            watch.note(
                areAlike
                    ? "no calibration: the labels are of one class"
                    : "no calibration: scores do not rise with the labels")
        }
        return CalibratedProbe(probe: calibrated, sequences: data.count)
    }
}

/// A probe with other probabilities and another threshold.
package struct CalibratedProbe {
    package let probe: Probe
    let sequences: Int

    /// What is said of it.
    ///
    /// - Parameter path: where it was written; nil for nowhere.
    package func summary(_ path: String?) -> some Encodable { Summary(self, path) }

    private struct Summary: Encodable {
        let probe: String?
        let sequences: Int
        let threshold: Double
        let threshold_rule: ThresholdRule?
        let calibration: Calibration?

        init(_ calibrated: CalibratedProbe, _ path: String?) {
            (probe, sequences, threshold) = (path, calibrated.sequences, calibrated.probe.threshold)
            (threshold_rule, calibration) = (calibrated.probe.thresholdRule, calibrated.probe.calibration)
        }
    }
}
