import ArgumentParser
public import AttentionProbes
import FoundationEssentials

struct Score: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score every sequence, with one probe or several in one pass.",
        usage: "attnprobe score PROBE... DATA... [--out FILE] [--format FORMAT] [options]",
        discussion: """
            One row a sequence, in the order of the data: its id, logits, probabilities and \
            predicted label; with several probes, those of each under its file's name.

              attnprobe score probe.safetensors test.safetensors --out scores.csv
              attnprobe score probes/ shards/ --out scores.jsonl --resume

            With --tokens every token has the logits of its sequence up to and with it, and of probes \
            that attend the attention of each head to it in the whole sequence, and what it adds to \
            the logits: a line a sequence in jsonl, a row a token in csv, tensors in safetensors.

              attnprobe score probe.safetensors test.safetensors --tokens --out tokens.csv

            Rows go to FILE.partial until all are written. Where a file fails on the way, they stay \
            there, and --resume goes on behind them.
            """)

    @Argument(help: "Probe files or folders of them, then activation files or folders.")
    var paths: [String]
    @Option(name: [.short, .long], help: "The file to write. (default: standard output)")
    var out: String?
    @Option(help: "Format of the rows. (default: as the ending of --out says, else jsonl)")
    var format: ScoreFormat?
    @Flag(help: "Go on behind the rows that an interrupted run left.")
    var resume = false
    @Flag(help: "Write the scores of every token, not of every sequence.")
    var tokens = false
    @Option(help: "Highest order that is computed of tpc probes. (default: all)")
    var maxOrder: Int?
    @Option(
        help:
            "Probability of either of two classes from which on tpc probes compute no higher order. (default: none)"
    )
    var earlyExit: Float?
    @OptionGroup var shared: SharedOptions

    private var ending: String { out.map { URL(fileURLWithPath: $0).pathExtension } ?? "" }
    var chosenFormat: ScoreFormat { format ?? ScoreFormat(rawValue: ending) ?? .jsonl }
    // Its columns are written at the end, so there is nothing to go on from.
    private var isResumable: Bool { chosenFormat != .safetensors }

    func validate() throws {
        guard paths.count >= 2 else { throw ValidationError("expected a probe and data") }
        guard format != nil || ending.isEmpty || ScoreFormat(rawValue: ending) != nil else {
            throw ValidationError("--out: no format goes with the ending .\(ending); give --format")
        }
        guard chosenFormat != .safetensors || out != nil else {
            throw ValidationError("--format safetensors: expected --out FILE")
        }
        if let maxOrder { try require(Double(maxOrder), .order, option: "max-order", found: "\(maxOrder)") }
        try require(earlyExit, "early-exit", "a number from 0.5 to below 1") { (0.5..<1).contains($0) }
        guard !resume || !tokens else {
            throw ValidationError("--resume: not with --tokens, which leaves nothing where it is interrupted")
        }
        guard !resume || (out != nil && isResumable) else {
            throw ValidationError("--resume: expected --out FILE in a format of rows, jsonl or csv")
        }
    }

    func run() throws {
        let (probePaths, opened, dataPaths) = try ProbePaths.split(paths)
        let all = try limited(Probe.all(paths: probePaths, opened: opened))
        let data = try shared.open(dataPaths, labels: nil, for: all)
        let probes = try ProbeSet(all, names: probePaths, over: data)
        guard !tokens || probes.seeAlike else {
            throw ValidationError("--tokens: expected probes of the same layers, found several")
        }
        SharedOptions.reads(probePaths)
        for (path, probe) in zip(probePaths, probes.probes) where !tokens {
            shared.notes.noteThreshold(probe, path, streaming: false)
        }
        if tokens { return try scoreTokens(probes, ProbePaths.names(probePaths), data) }
        if let out {
            for path in [out] + (isResumable ? [OutputFile.partialPath(out)] : []) {
                try SharedOptions.checkOutput(path)
            }
        }
        let names = ProbePaths.names(probePaths)
        let (output, kept) = try openOutput(probes, names, data)
        let line = ProgressLine(isShown: !shared.quiet && (out != nil || StandardError.isTerminal))
        let interrupt = Interrupt(isQuiet: shared.quiet)
        var writer = ScoreWriter(chosenFormat, probes.probes, names: names, data, threads: shared.threadCount)
        var progress = ScoreProgress(data)
        progress.skip(0..<kept.rows)
        do {
            if kept.rows == 0 { try output.write(writer.head) }
            try probes.forEachScores(data, from: kept.rows, threads: shared.threadCount) { scores in
                if interrupt.isSet { throw ExitCode(130) }
                try output.write(writer.rows(scores))
                progress.add(scores[0].range)
                line.show(progress.line(line.elapsed))
            }
            try output.write(writer.tail())
            try output.commit()
            line.finish()
        } catch {
            line.abandon()
            if progress.done == 0 { output.keepNothing() }
            if let kept = output.partialPath {
                shared.note(
                    "\(progress.done) of \(data.count) rows are in \(kept); --resume goes on behind them")
            }
            throw error
        }
    }

    // The probes as --max-order and --early-exit want them.
    private func limited(_ probes: [Probe]) throws -> [Probe] {
        for (name, isGiven) in [("max-order", maxOrder != nil), ("early-exit", earlyExit != nil)]
        where isGiven && !probes.contains(where: { $0.configuration.kind == .tpc }) {
            throw ValidationError("--\(name): expected it only with a tpc probe")
        }
        let orders = probes.filter { $0.configuration.kind == .tpc }.map { Int($0.configuration[.order]) }
        if let maxOrder, let most = orders.max(), maxOrder > most {
            throw ValidationError(
                "--max-order: expected at most the order of the probe, \(most), found \(maxOrder)")
        }
        guard maxOrder != nil || earlyExit != nil else { return probes }
        return probes.map { $0.limited(order: maxOrder, exit: earlyExit) }
    }

    private func openOutput(_ probes: ProbeSet, _ names: [String], _ data: ActivationSet) throws
        -> (OutputFile, PartialScores)
    {
        guard let out else { return (.standardOutput(), .none) }
        guard isResumable else { return (try OutputFile(path: out), .none) }
        var kept = PartialScores.none
        let output = try OutputFile(path: out) { path in
            guard try ByteSource(path: path).count > 0 else { return 0 }
            guard resume else {
                throw ValidationError(
                    "\(path) holds rows of a run that did not end: give --resume to go on, or delete it")
            }
            kept = try PartialScores(path: path, chosenFormat, probes, names: names, data)
            shared.note("going on behind \(kept.rows) of \(data.count) rows in \(path)")
            return kept.bytes
        }
        return (output, kept)
    }
}

extension ScoreFormat: ExpressibleByArgument {}
