import ArgumentParser
import AttentionProbes

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a probe sees: metrics, attention and documents as one HTML file.",
        usage: """
            attnprobe report PROBE DATA... --out FILE [--documents N] [options]
            attnprobe report [PROBE] SCORES --labels TABLE --out FILE [options]
            """,
        discussion: """
            The page needs no network and no other file. Data without labels get a page with scores \
            and attention, without metrics. Scores of one probe, as score writes them, get one without attention and \
            documents.

              attnprobe report probe.safetensors test.safetensors --out report.html
            """)

    @Argument(help: "The probe file, or a file of scores.")
    var probe: String
    @Argument(help: "Activation files or folders.")
    var data: [String] = []
    @Option(name: [.short, .long], help: "The HTML file to write.")
    var out: String
    @OptionGroup var options: ReportOptions
    @OptionGroup var controls: ControlOptions
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let path = probe
        let input = try JudgedInput(path, data, labels: labelling, shared)
        let probe = input.probe
        try input.check(controls)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        let report = try options.report(
            probe, path, title: stem(path), input.data, shared.running, shared.watch(line),
            controls: controls.trained(probe, shared, labels: labelling),
            labels: labelling
        ) {
            try SharedOptions.checkOutput(out)
            // Fails now rather than after the scoring if the page cannot be written.
            try OutputFile.check(path: out)
        }
        line.finish()
        try report.write(to: out)
        shared.note("wrote \(out), \(size(report.html.utf8.count))")
    }

    private func size(_ bytes: Int) -> String { (Double(bytes) * 1e-6).fixed(1) + " MB" }
}
