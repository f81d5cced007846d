public import ArgumentParser
public import AttentionProbes
import Foundation
import Tensors

struct Score: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score every sequence.",
        usage: "attnprobe score PROBE DATA... [--out FILE] [--format FORMAT] [options]",
        discussion: """
            One row a sequence, in the order of the data: its id, logits, probabilities and \
            predicted label.

              attnprobe score probe.safetensors test.safetensors --out scores.csv
            """)

    @Argument(help: "The probe file.")
    var probe: String
    @Argument(help: "Activation files or folders.")
    var data: [String]
    @Option(name: [.short, .long], help: "The file to write. (default: standard output)")
    var out: String?
    @Option(help: "Format of the rows. (default: as the ending of --out says, else jsonl)")
    var format: ScoreFormat?
    @OptionGroup var shared: SharedOptions

    private var ending: String { out.map { URL(fileURLWithPath: $0).pathExtension } ?? "" }
    private var chosenFormat: ScoreFormat { format ?? ScoreFormat(rawValue: ending) ?? .jsonl }

    func validate() throws {
        guard format != nil || ending.isEmpty || ScoreFormat(rawValue: ending) != nil else {
            throw ValidationError("--out: no format goes with the ending .\(ending); give --format")
        }
        guard chosenFormat != .safetensors || out != nil else {
            throw ValidationError("--format safetensors: expected --out FILE")
        }
    }

    func run() throws {
        let probe = try Probe(path: probe)
        let data = try shared.open(data, labelled: false)
        try out.map { try shared.checkOutput($0, isNoneOf: [self.probe] + data.files.map(\.path)) }
        let output = try out.map(OutputFile.init(path:)) ?? OutputFile.standardOutput()
        let line = ProgressLine(isShown: !shared.quiet && (out != nil || StandardError.isTerminal))
        let interrupt = Interrupt()
        var writer = ScoreWriter(chosenFormat, probe, data)
        try output.write(writer.head)
        try probe.forEachScores(data, threads: shared.threadCount) { scores in
            if interrupt.flag.isSet { throw ExitCode(130) }
            try output.write(writer.rows(scores))
            line.show(progress(scores.range.upperBound, of: data.count, line.elapsed))
        }
        try output.write(writer.tail())
        try output.commit()
        line.finish()
    }

    private func progress(_ done: Int, of total: Int, _ elapsed: Double) -> String {
        let left = elapsed / Double(done) * Double(total - done)
        return
            "\(bar(done, of: total)) \(done)/\(total) sequences  \(clock(elapsed))<\(clock(left))"
    }
}

extension ScoreFormat: ExpressibleByArgument {}
