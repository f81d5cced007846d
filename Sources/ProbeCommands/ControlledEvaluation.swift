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
        let controls = TrainedControls(
            controls: column.controls(probe.configuration, nil, running, labels: nil),
            training: try probe.labelled(training))
        return try evaluation.judge(
            probe, name, data, running, watch, allTokens: true, controls: controls)
    }
}
