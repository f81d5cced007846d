package import AttentionProbes

extension LearningOptions {
    /// Chooses among candidates by cross-validation, and trains the best on all sequences.
    ///
    /// - Parameters:
    ///   - data: labelled for the task, as `lesson` gives them.
    ///   - journal: where finished trainings are kept; nil for nowhere.
    ///   - farewell: what is said if the work is ended on the way.
    ///   - looksForDuplicates: whether it is said where sequences are almost identical.
    ///   - prepare: is run before anything is trained; what it throws ends the work.
    /// - Throws: `CancellationError` where the work is stopped.
    package func select(
        _ candidates: [Candidate], _ data: ActivationSet, _ task: ProbeTask, journal: String?,
        _ running: RunOptions, _ watch: Watch, farewell: @escaping @Sendable () -> String,
        looksForDuplicates: Bool,
        prepare: () throws -> Void = {}
    ) throws -> SelectedProbe {
        let search = try ProbeSearch(
            self, candidates, data, task, running, watch, farewell: farewell,
            looksForDuplicates: looksForDuplicates, prepare: prepare)
        let result = try search.run(journal: journal)
        watch.mayEnd(nil)
        let probe = try target.errors(search.data) {
            try result.deployed(
                search.data, calibration: selection.calibration ?? .platt,
                falsePositiveRate: target.falsePositiveRate, confidence: target.confidence ?? 0.95)
        }
        if task.isBinary, selection.calibration != Calibration.Method.none, probe.calibration == nil {
            watch.note("no calibration: out-of-fold scores do not rise with the labels")
        }
        return SelectedProbe(probe: probe, result: result)
    }
}

/// A probe that was chosen, and what it was chosen among.
package struct SelectedProbe {
    package let probe: Probe
    package let result: SelectionResult

    /// What is said of it.
    ///
    /// - Parameters:
    ///   - path: where it was written; nil for nowhere.
    ///   - outOfFold: where out-of-fold scores were written; nil for nowhere.
    package func summary(_ path: String?, outOfFold: String?) -> some Encodable {
        Summary(self, path, outOfFold)
    }

    private struct Summary: Encodable {
        let probe, out_of_fold: String?
        let chosen, metric, task: String
        let positive: String?
        let score: Double?
        let threshold: Double?
        let threshold_rule: ThresholdRule?
        let folds: Int
        let candidates: [SelectionResult.Row]
        let layers: [SelectionResult.LayerRow]?

        init(_ selected: SelectedProbe, _ path: String?, _ scores: String?) {
            let (result, deployed) = (selected.result, selected.probe)
            (probe, out_of_fold, chosen) = (path, scores, result.chosen.name)
            (metric, score) = (result.metric.scoreName, result.chosen.score)
            (task, positive) = (deployed.task.name, deployed.task.positiveClass)
            threshold = deployed.task.hasThreshold ? deployed.threshold : nil
            threshold_rule = deployed.thresholdRule
            folds = result.folds.count
            candidates = result.rows
            layers = result.layers.isEmpty ? nil : result.layers
        }
    }
}
