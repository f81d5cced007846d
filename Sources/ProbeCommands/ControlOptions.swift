import ArgumentParser
import AttentionProbes

/// A column that is to be a control, the same in every subcommand that has controls.
struct ConfoundOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "With --controls: what else may give the label away. groups for those of the data, a tensor of the files "
                + "with a number a sequence, a regular expression of ids, of which the first (…) is the value, or with "
                + "--labels a column of it.",
            valueName: "name-or-pattern"))
    var confound: String?

    /// Controls for a probe.
    func controls(
        _ configuration: ProbeConfiguration, _ selection: Selection?, _ running: RunOptions,
        labels: LabelOptions?
    ) -> Controls {
        var controls = Controls(configuration, selection: selection)
        controls.selection.seed = running.seed
        controls.selection.threads = running.threadCount
        if let confound {
            controls.confound = { data in
                try BreakdownOption.names(by: confound, "confound", of: data, labels: labels)
            }
        }
        return controls
    }
}

/// The option --controls, for commands that judge a fitted probe.
struct ControlOptions: ParsableArguments {
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Also tell what is reached without what the probe is to find, by controls that are trained on these data, "
                + "the probe's training data, and how far the probe is above the best of them.",
            valueName: "training-data"))
    var controls: [String] = []
    @OptionGroup var column: ConfoundOption

    func validate() throws {
        guard column.confound != nil, controls.isEmpty else { return }
        throw ValidationError("--confound: expected it only with --controls")
    }

    /// Controls for a probe, to score sets with; nil without --controls.
    func trained(_ probe: Probe, _ shared: SharedOptions, labels: LabelOptions) throws -> TrainedControls? {
        guard !controls.isEmpty else { return nil }
        return try TrainedControls(
            column.controls(probe.configuration, nil, shared.running, labels: labels), of: probe,
            on: shared.open(controls, labels: labels, for: [probe]))
    }
}

/// Controls and what they are trained on, once for all sets that are scored.
package struct TrainedControls {
    private let controls: Controls
    private let training: ActivationSet
    private let probes = ControlProbes()

    /// - Throws: `DataError` where the training data are none of this probe.
    init(_ controls: Controls, of probe: Probe, on training: ActivationSet) throws {
        try ProbeSet([probe]).checkFits(training)
        (self.controls, self.training) = (controls, try probe.labelled(training))
    }

    /// Their metrics beside those of a probe.
    ///
    /// - Parameter scored: a set that the probe has scored.
    func metrics(
        _ scored: ScoredSet, _ evaluation: Evaluation, bootstrap: Bootstrap?, _ watch: Watch
    ) throws -> ControlMetrics {
        let scores = try controls.run(
            training, tests: [scored.data], task: scored.probe.task, trained: probes,
            isInterrupted: watch.isInterrupted)
        return try scored.controlMetrics(
            scores, metrics: evaluation.metrics.map(\.metric), bootstrap: bootstrap,
            threads: controls.selection.threads)
    }
}

extension ControlMetrics {
    /// A table: for each metric the best control and the margin above it, then the metrics of each control.
    func table(_ evaluation: Evaluation) -> String {
        func text(_ metric: Metric, _ value: Double) -> String {
            metric.isFraction ? value.fixed(3) : significant(value)
        }
        let lines = margins.filter { evaluation.invisibility($0.metric) == nil }.compactMap {
            margin -> [String]? in
            guard let own = evaluation(margin.metric), let best = best(margin.metric) else { return nil }
            return [
                margin.metric.name, text(margin.metric, own.value), text(margin.metric, best.value),
                margin.control.rawValue, text(margin.metric, margin.value),
            ]
                + (margin.interval.map {
                    [text(margin.metric, $0.lowerBound), text(margin.metric, $0.upperBound)]
                } ?? [])
        }
        let suited = [.auroc, .accuracy, .r2].first { self($0) != nil } ?? margins.first?.metric
        let reached = rows.map { row in
            [
                row.control.rawValue,
                row.values.first { $0.metric == suited }.map { text($0.metric, $0.value) } ?? "none",
            ]
        }
        let failures = rows.compactMap { row in row.failure.map { "\(row.control.rawValue): \($0)" } }
        return
            (["controls, trained on the same data without what the probe is to find"]
            + inColumns(
                [["metric", "probe", "control", "best", "above", "from", "to"]] + lines,
                gaps: [2, 2, 2, 2, 1, 1])
            + [""] + inColumns([["control", suited?.name ?? ""]] + reached, gaps: [2]) + failures)
            .joined(separator: "\n")
    }
}
