import ArgumentParser
import AttentionProbes
import FoundationEssentials
import Synchronization

/// Options that mean the same in every subcommand that computes.
struct SharedOptions: ReadingOptions {
    @OptionGroup var running: RunOptions

    @Flag(help: "Print no progress and no notes.")
    var quiet = false

    @Option(
        help: """
            Memory to use at most, such as 8GB, besides what is read of files: a training that needs more is refused \
            before it starts. (default: what the machine has left)
            """)
    var maxMemory: String?

    @Flag(help: skipNonfiniteHelp)
    var skipNonfinite = false
    @OptionGroup var skipping: SkipOptions
    @OptionGroup var masking: MaskOptions
    @OptionGroup var layers: LayerOptions
    @OptionGroup var matrices: MatrixOptions

    // All that the process reads. Sets stay open until it ends: thousands of files that are let go of one by one
    // take a tenth of the time that it takes to score them.
    private static let inputs = Mutex<(sets: [ActivationSet], paths: [String], leftOut: [LeftOut])>(
        ([], [], []))

    /// Says that a file is an input, which no output may take the place of (`checkOutput`). `open` says it of data and
    /// their labels.
    static func reads(_ paths: [String]) { inputs.withLock { $0.paths += paths } }

    func validate() throws {
        guard let maxMemory else { return }
        guard let bytes = byteCount(maxMemory) else {
            throw ValidationError("--max-memory: expected a size such as 8GB or 500MiB, found \(maxMemory)")
        }
        AvailableMemory.limit(to: bytes)
    }

    var threadCount: Int { running.threadCount }
    var seed: UInt64 { running.seed }

    /// Opens data, and says of what is left out; see `read`.
    func open(
        _ paths: [String], labels labelling: LabelOptions?, task: ProbeTask? = nil, for probes: [Probe] = [],
        swept: SweptLayers? = nil
    ) throws -> ActivationSet {
        let isNewTable = Self.inputs.withLock { inputs in
            labelling?.labels.map { !inputs.paths.contains($0) } ?? true
        }
        Self.reads([labelling?.labels, masking.promptLengths].compactMap(\.self))
        let data = try read(
            paths, labels: labelling, task: task, for: probes, swept: swept, isNewTable: isNewTable,
            threads: threadCount,
            opened: { data in
                Self.inputs.withLock { inputs in
                    inputs.sets.append(data)
                    inputs.paths += data.leftOut.files
                }
            }, note: note)
        Self.inputs.withLock { $0.leftOut.append(data.leftOut) }
        return data
    }

    /// A result as one JSON object for standard output. Where anything was left out of the data that were opened, or
    /// was to be left out, `left_out` says what.
    func json(_ result: some Encodable) throws -> String {
        let leftOut = LeftOut(joining: Self.inputs.withLock(\.leftOut))
        guard skipsAnything || leftOut != LeftOut() else { return try result.json() }
        return try WithLeftOut(result: result, leftOut: LeftOutNames(leftOut)).json()
    }

    /// Refuses a name that is empty or -, and to write over any input that was opened or named by `reads`.
    static func checkOutput(_ output: String, option: String = "out") throws {
        guard !output.isEmpty else {
            throw ValidationError("--\(option): expected the name of a file, found an empty one")
        }
        // Others take it for standard output.
        guard output != "-" else {
            throw ValidationError(
                "--\(option): expected the name of a file, found -; ./- is a file of that name")
        }
        // Usually there is no such file yet, and no input needs a look.
        guard let existing = FileIdentity(regularFile: output) else { return }
        let isInput = inputs.withLock { inputs in
            inputs.sets.contains { $0.reads(existing) }
                || inputs.paths.contains { FileIdentity(path: $0) == existing }
        }
        guard isInput else { return }
        throw ValidationError("--\(option): \(output) is also an input; choose another file")
    }

    /// A line for people, on standard error.
    func note(_ line: String) { notes.note(line) }

    /// Notes alone, of work without a line about its progress.
    var notes: Watch {
        Watch(note: { [quiet] in if !quiet { StandardError.print($0.printable) } }, progress: { _ in })
    }

    /// Notes, and a pass over data shown on a line.
    func watch(_ line: ProgressLine) -> Watch {
        var watch = notes
        watch.progress = { progress in
            if case .scoring(let done) = progress { line.show(done.line(line.elapsed)) }
        }
        return watch
    }
}

extension Encodable {
    /// One JSON object, keys sorted, for standard output.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        // Of paths that are no UTF-8, the bytes as JSON writes a backslash.
        return try String(decoding: encoder.encode(self), as: UTF8.self).showingPathBytes("\\\\x")
    }
}
