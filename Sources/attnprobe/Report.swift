import ArgumentParser
import AttentionProbes

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a probe sees: figures, attention and documents as one HTML file.",
        usage: "attnprobe report PROBE DATA... --out FILE [--documents N] [options]",
        discussion: """
            The page needs no network and no other file. Data without labels get a page with scores \
            and attention, without figures.

              attnprobe report probe.safetensors test.safetensors --out report.html
            """)

    @Argument(help: "The probe file.")
    var probe: String
    @Argument(help: "Activation files or folders.")
    var data: [String]
    @Option(name: [.short, .long], help: "The HTML file to write.")
    var out: String
    @Option(
        help: ArgumentHelp(
            "Documents of each group: hits, mistakes, near the threshold, random. (default: 25, fewer where "
                + "the page would be larger than 5 MB)"))
    var documents: Int?
    @Option(help: "Draws of the bootstrap for 95 % confidence intervals; 0 for none.")
    var bootstrap = 1000
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        try require(documents, "documents", from: 0)
        try require(bootstrap, "bootstrap", from: 0, to: Bootstrap.mostReplicates)
    }

    func run() throws {
        let path = probe
        SharedOptions.reads([path])
        let probe = try Probe(path: path)
        let data = try shared.open(data, labels: labelling, for: [probe])
        shared.warnOfTraining(probe, data)
        shared.noteThreshold(probe, path, streaming: false)
        if data.targets != nil { try shared.noteSoftLabels(probe.labelled(data)) }
        try SharedOptions.checkOutput(out)
        // Fails now rather than after the scoring if the page cannot be written.
        try OutputFile.check(path: out)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        var progress = ScoreProgress(data)
        let options = ProbeReport.Options(
            documents: documents, seed: shared.seed,
            bootstrap: bootstrap > 0 ? Bootstrap(replicates: bootstrap, seed: shared.seed) : nil,
            threads: shared.threadCount,
            probeName: stem(path))
        let report = try ProbeReport(probe, data, options: options) { range in
            progress.add(range)
            line.show(progress.line(line.elapsed))
        }
        line.finish()
        try report.write(to: out)
        shared.note("wrote \(out), \(size(report.html.utf8.count))")
    }

    private func size(_ bytes: Int) -> String { (Double(bytes) * 1e-6).fixed(1) + " MB" }
}
