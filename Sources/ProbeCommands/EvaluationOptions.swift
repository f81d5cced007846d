import ArgumentParser
package import AttentionProbes

/// How a probe is judged.
package struct EvaluationOptions: ParsableArguments {
    @Option(help: "Also show the most attended tokens of so many documents, the most confident first.")
    var documents = 0
    @Option(help: "Draws of the bootstrap for 95 % confidence intervals; 0 for none.")
    var bootstrap = 1000
    @Flag(
        help: """
            Also judge the probe as a monitor that looks after every token and flags a sequence as soon as the text so \
            far reaches the threshold (binary).
            """)
    var streaming = false
    @OptionGroup var breakdown: BreakdownOption

    package init() {}

    package mutating func validate() throws {
        try require(documents, "documents", from: 0)
        try require(bootstrap, "bootstrap", from: 0, to: Bootstrap.mostReplicates)
    }

    /// Compares a probe's scores with the labels.
    ///
    /// - Parameters:
    ///   - name: what notes call the probe.
    ///   - allTokens: whether documents have all their tokens.
    ///   - controls: what to compare with; nil for nothing.
    ///   - labels: where the labels are from, if a table may have groups.
    package func judge(
        _ probe: Probe, _ name: String, _ data: ActivationSet, _ running: RunOptions, _ watch: Watch,
        allTokens: Bool, controls: TrainedControls? = nil, labels: LabelOptions? = nil
    ) throws -> Judgement {
        let data = try probe.labelled(data)
        watch.warnOfTraining(probe, data)
        watch.noteSoftLabels(data)
        watch.noteThreshold(probe, name, streaming: streaming)
        let groups = try breakdown.names(of: data, probe.task, labels: labels)
        let threads = running.threadCount
        let scored = try probe.scored(data, threads: threads, progress: watch.pass(over: data))
        let streamed =
            streaming
            ? try probe.streamed(data, threads: threads, progress: watch.pass(over: data)).metrics() : nil
        let evaluation = try scored.evaluation(
            threads: threads, bootstrap: running.bootstrap(bootstrap), groups: groups)
        return Judgement(
            evaluation: evaluation,
            controls: try controls?.metrics(
                scored, evaluation, bootstrap: running.bootstrap(bootstrap), watch),
            streaming: streamed,
            documents: documents > 0
                ? try AttendedDocument.mostConfident(documents, scored, withAll: allTokens) : nil,
            data: data)
    }

    /// Refuses options that look at hidden states.
    func checkNeedsNoStates() throws {
        for (option, isUsed) in [("--documents", documents > 0), ("--streaming", streaming)] where isUsed {
            throw ValidationError("\(option): expected hidden states, found scores")
        }
    }

    /// Compares scores that are known with the labels; the hidden states of the data are not looked at.
    ///
    /// - Parameters:
    ///   - name: what notes call the probe.
    ///   - scores: those of all sequences of the data.
    /// - Throws: `ValidationError` for an option that needs hidden states; else as `ScoredSet.evaluation`.
    package func judge(
        _ scores: Scores, of probe: Probe, _ name: String, _ data: ActivationSet, _ running: RunOptions,
        _ watch: Watch
    ) throws -> Judgement {
        try checkNeedsNoStates()
        let data = try probe.labelled(data)
        watch.noteSoftLabels(data)
        watch.noteThreshold(probe, name, streaming: false)
        let scored = ScoredSet(probe, data, scores)
        return Judgement(
            evaluation: try scored.evaluation(
                threads: running.threadCount, bootstrap: running.bootstrap(bootstrap),
                groups: try breakdown.names(of: data, probe.task, labels: nil)),
            controls: nil, streaming: nil, documents: nil, data: data)
    }
}

/// What is said of a probe and some data: the evaluation's own keys, with the others beside them.
package struct Judgement: Encodable {
    let evaluation: Evaluation
    let controls: ControlMetrics?
    let streaming: StreamingMetrics?
    let documents: [AttendedDocument]?
    /// The data, with labels as the task of the probe has them.
    let data: ActivationSet

    private enum CodingKeys: String, CodingKey { case controls, streaming, documents }

    /// For people, what was asked for beside the metrics.
    var furtherTables: [String] {
        [controls?.table(evaluation), streaming?.table].compactMap(\.self) + (documents ?? []).map(\.text)
    }

    package func encode(to encoder: any Encoder) throws {
        try evaluation.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(controls, forKey: .controls)
        try container.encodeIfPresent(streaming, forKey: .streaming)
        try container.encodeIfPresent(documents, forKey: .documents)
    }
}
