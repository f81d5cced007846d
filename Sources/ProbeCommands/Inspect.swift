import ArgumentParser
import AttentionProbes

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what files of activations, probes and other safetensors files hold.",
        usage: """
            attnprobe inspect FILE... [--json] [options]
            attnprobe inspect --machine [--json]
            """,
        discussion: """
              attnprobe inspect train.safetensors probe.safetensors
              attnprobe inspect dumps/

            Of more than 12 files it prints what they hold together, and the first three.
            """)

    @Argument(help: "Files, or folders of them.")
    var files: [String] = []
    @Flag(help: "Say what is computed with here: instruction set, OpenBLAS and its core, threads.")
    var machine = false
    @Option(help: "The layer to look at of files that hold several. (default: all)")
    var layer: Int?
    @OptionGroup var matrices: MatrixOptions
    @OptionGroup var skipping: SkipOptions
    @OptionGroup var masking: MaskOptions
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @Option(help: "Threads to use at most. (default: all processors)")
    var threads: Int?

    func validate() throws {
        guard files.isEmpty == machine else {
            throw ValidationError("expected either files or --machine, found \(machine ? "both" : "neither")")
        }
        try require(layer, "layer", from: 0)
        try require(threads, "threads")
        let isReply = try masking.expression()?.needsPromptLengths == true
        guard !isReply || masking.promptLengths != nil else {
            throw ValidationError(
                "--mask: expected a table that reply goes by (--prompt-lengths), found none")
        }
        guard masking.mask == nil || !machine else {
            throw ValidationError("--mask: expected it with activations, found --machine")
        }
    }

    func run() throws {
        guard !machine else {
            let machine = MachineInfo()
            return try StandardOutput.print(json ? machine.json() : machine.text)
        }
        let skips = skipping.skips
        let mask = try FileDescription.Mask(masking)
        var (opened, leftOut) = try OpenedFile.open(files, skips: skips, readers: matrices.readers)
        var descriptions: [FileDescription] = []
        for file in opened {
            do {
                descriptions.append(
                    try FileDescription(
                        file, layer.map { [$0] }, mask, isAlone: opened.count == 1, skips,
                        leavingOut: &leftOut,
                        readers: matrices.readers, threads ?? Parallel.availableThreads))
            } catch let error as DataError
                where error.rule == .emptySequence && skips.contains(.emptySequences)
            {
                leftOut.empty.append(file.path)
            } catch {
                guard skips.contains(.badFiles), let bad = file.bad(error) else { throw error }
                leftOut.badFiles.append(bad)
            }
        }
        if mask != nil, let probe = descriptions.first(where: { $0.probe != nil }) {
            throw ValidationError("--mask: expected activations, found a probe, \(probe.path)")
        }
        guard !descriptions.isEmpty || skips.isEmpty else {
            throw DataError(
                .shape, files[0], expected: "at least one file that is not left out",
                found: leftOut.inPlaceOfSequences)
        }
        for line in leftOut.notes(of: 0) { StandardError.print(line.printable) }
        let report = Report(files: descriptions, unfinished: leftOut.unfinished)
        guard json else { return try StandardOutput.print(report.text) }
        let hasSkips = !skips.isEmpty || leftOut != LeftOut()
        try StandardOutput.print(
            hasSkips
                ? WithLeftOut(result: report, leftOut: LeftOutNames(leftOut)).json() : report.json())
    }

    private struct Report: Encodable {
        let files: [FileDescription]
        /// Files that a running server still writes.
        let unfinished: [String]

        // Of many files a summary and the first few.
        private static let most = 12
        private static let first = 3

        var text: String {
            guard files.count > Self.most else {
                return files.map(\.text).joined(separator: "\n\n")
            }
            let rest = "… and \(files.count - Self.first) more; --json describes each"
            return ([FilesSummary(files).text] + files.prefix(Self.first).map(\.text) + [rest])
                .joined(separator: "\n\n")
        }
    }
}

extension MachineInfo {
    /// For people.
    fileprivate var text: String {
        let rows = [
            [
                "instruction set",
                instructionSet == Projection.kernelSet
                    ? instructionSet : "\(instructionSet) for products, else \(Projection.kernelSet)",
            ],
            ["OpenBLAS core", openBLASCore], ["OpenBLAS", openBLAS],
            ["threads", String(threads)],
        ]
        let lines = rows.map { $0[0] + String(repeating: " ", count: 17 - $0[0].count) + $0[1] }
        return (lines + [advice].compactMap(\.self)).joined(
            separator: "\n")
    }
}
