import ArgumentParser
import AttentionProbes

struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit probabilities and a threshold of a probe on data that it was not trained on.",
        usage: "attnprobe calibrate PROBE DATA... --out PROBE [--fpr RATE] [options]",
        discussion: """
            Nothing is trained. The data should be like those that the probe will meet, and none of them \
            may have been trained on. Without --fpr the threshold becomes 0.5.

              attnprobe calibrate probe.safetensors held-out.safetensors \\
                  --fpr 0.01 --streaming --out monitor.safetensors
            """)

    @Argument(help: "The probe file.")
    var probe: String
    @Argument(help: "Activation files or folders, with labels.")
    var data: [String]
    @Option(name: [.short, .long], help: "The probe file to write.")
    var out: String
    @OptionGroup var options: CalibrationOptions
    @Flag(help: "Print a JSON object about the probe on standard output.")
    var json = false
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let path = probe
        SharedOptions.reads([path])
        let probe = try Probe(path: path)
        let line = ProgressLine(isShown: !shared.quiet && StandardError.isTerminal)
        let calibrated = try options.calibrated(
            probe, path, shared.open(data, labels: labelling, for: [probe]), shared.running,
            shared.watch(line)
        ) {
            try SharedOptions.checkOutput(out)
            try OutputFile.check(path: out)
        }
        line.finish()
        try calibrated.probe.write(to: out)
        if json { try StandardOutput.print(shared.json(calibrated.summary(out))) }
        shared.note("saved \(out)")
        shared.note(calibrated.probe.thresholdRule?.sentence(calibrated.probe.threshold) ?? "threshold 0.5")
    }
}
