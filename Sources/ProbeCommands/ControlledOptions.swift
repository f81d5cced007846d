import ArgumentParser
package import AttentionProbes

/// How a probe is judged beside controls, for callers that have the training data open.
package struct ControlledEvaluationOptions: ParsableArguments {
    @OptionGroup var evaluation: EvaluationOptions
    @OptionGroup var column: ConfoundOption

    package init() {}

    /// Compares a probe's scores with the labels, and with controls.
    ///
    /// - Parameters:
    ///   - name: what notes call the probe.
    ///   - training: what the probe was trained on, and controls are.
    package func judge(
        _ probe: Probe, _ name: String, _ data: ActivationSet, training: ActivationSet,
        _ running: RunOptions, _ watch: Watch
    ) throws -> Judgement {
        try evaluation.judge(
            probe, name, data, running, watch, allTokens: true,
            controls: column.trained(probe, on: training, running))
    }
}

/// What a report page with controls shows, for callers that have the training data open.
package struct ControlledReportOptions: ParsableArguments {
    @OptionGroup var report: ReportOptions
    @OptionGroup var column: ConfoundOption

    package init() {}

    /// Makes the page.
    ///
    /// - Parameters:
    ///   - name: what notes call the probe.
    ///   - title: what the page calls it.
    ///   - training: what the probe was trained on, and controls are.
    package func report(
        _ probe: Probe, _ name: String, title: String, _ data: ActivationSet, training: ActivationSet,
        _ running: RunOptions, _ watch: Watch
    ) throws -> ProbeReport {
        try report.report(
            probe, name, title: title, data, running, watch,
            controls: column.trained(probe, on: training, running))
    }
}

extension ConfoundOption {
    fileprivate func trained(
        _ probe: Probe, on training: ActivationSet, _ running: RunOptions
    ) throws -> TrainedControls {
        try TrainedControls(
            controls(probe.configuration, nil, running, labels: nil), of: probe, on: training)
    }
}
