import ArgumentParser
package import AttentionProbes

/// What a report page shows.
package struct ReportOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Documents of each group: mistakes, hits, near the threshold, random. (default: 25, fewer where "
                + "the page would be larger than 5 MB)"))
    var documents: Int?
    @Option(help: "Draws of the bootstrap for 95 % confidence intervals; 0 for none.")
    var bootstrap = 1000
    @OptionGroup var breakdown: BreakdownOption

    package init() {}

    package mutating func validate() throws {
        try require(documents, "documents", from: 0)
        try require(bootstrap, "bootstrap", from: 0, to: Bootstrap.mostReplicates)
    }

    /// Makes the page.
    ///
    /// - Parameters:
    ///   - name: what notes call the probe.
    ///   - title: what the page calls it.
    ///   - controls: what to compare with; nil for nothing.
    ///   - labels: where the labels are from, if a table may have groups.
    ///   - prepare: is run before the data are scored; what it throws ends the work.
    package func report(
        _ probe: Probe, _ name: String, title: String, _ data: ActivationSet, _ running: RunOptions,
        _ watch: Watch, controls: TrainedControls? = nil, labels: LabelOptions? = nil,
        prepare: () throws -> Void = {}
    ) throws -> ProbeReport {
        watch.warnOfTraining(probe, data)
        watch.noteThreshold(probe, name, streaming: false)
        if data.targets != nil { try watch.noteSoftLabels(probe.labelled(data)) }
        try prepare()
        var options = ProbeReport.Options(
            documents: documents, seed: running.seed, bootstrap: running.bootstrap(bootstrap),
            threads: running.threadCount, probeName: title)
        if let controls {
            let bootstrap = options.bootstrap
            options.controls = { scored, evaluation in
                try controls.metrics(scored, evaluation, bootstrap: bootstrap, watch)
            }
        }
        options.groups = try breakdown.names(of: data, probe.task, labels: labels)
        return try ProbeReport(probe, data, options: options, progress: watch.pass(over: data))
    }
}
