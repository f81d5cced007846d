import ArgumentParser
import AttentionProbes
import FoundationEssentials
import Synchronization

/// Options that mean the same in every subcommand that computes.
struct SharedOptions: ParsableArguments {
    @Option(help: "Threads to use at most; results do not depend on it. (default: all processors)")
    var threads: Int?

    @Option(help: "Seed of every random choice.")
    var seed: UInt64 = 0

    @Flag(help: "Print no progress and no notes.")
    var quiet = false

    @Flag(
        help:
            "Leave out sequences with a NaN or infinity in their hidden states, or without a token, instead of stopping."
    )
    var skipNonfinite = false

    @OptionGroup var layers: LayerOptions

    // All that the process reads. Sets stay open until it ends: thousands of files that are let go of one by one
    // take a tenth of the time that it takes to score them.
    private static let inputs = Mutex<(sets: [ActivationSet], paths: [String])>(([], []))

    /// Says that a file is an input, which no output may take the place of (`checkOutput`). `open` says it of data and
    /// their labels.
    static func reads(_ paths: [String]) { inputs.withLock { $0.paths += paths } }

    var threadCount: Int { threads ?? Parallel.availableThreads }

    func validate() throws {
        try require(threads, "threads")
    }

    /// Opens data; where asked, without the sequences that are not finite.
    ///
    /// - Parameters:
    ///   - labels: where labels come from, if not the files; nil where labels are not used.
    ///   - task: what labels are for; nil for the task of the first probe, or without any for what they say.
    ///   - probes: those that the data are for.
    func open(
        _ paths: [String], labels labelling: LabelOptions?, task: ProbeTask? = nil, for probes: [Probe] = []
    ) throws -> ActivationSet {
        Self.reads([labelling?.labels].compactMap(\.self))
        // A table is short: its faults are found before thousands of files are opened.
        let table = try labelling?.table()
        var data = try layers.open(
            paths, labelled: labelling != nil, for: probes.compactMap(\.training.layers),
            skipsEmpty: skipNonfinite,
            note: note)
        Self.inputs.withLock { [data] inputs in
            inputs.sets.append(data)
            inputs.paths += data.unfinished
        }
        if !data.unfinished.isEmpty { note(leftOut(unfinished: data.unfinished)) }
        if !data.empty.isEmpty {
            note("left out \(counted(data.empty.count, "sequence")) without a token: \(few(data.empty))")
        }
        if let table { data = try table.label(data, for: task ?? probes.first?.task, note: note) }
        guard skipNonfinite else { return data }
        let finite = try data.finiteSequences(threads: threadCount)
        if finite.count < data.count {
            note("left out \(data.count - finite.count) of \(data.count) sequences with a NaN or infinity")
        }
        guard !finite.isEmpty else {
            throw DataError(.nonFinite, paths[0], expected: "a sequence of finite numbers", found: "none")
        }
        return data.selecting(finite)
    }

    /// Refuses a name that is empty, and to write over any input that was opened or named by `reads`.
    static func checkOutput(_ output: String, option: String = "out") throws {
        guard !output.isEmpty else {
            throw ValidationError("--\(option): expected the name of a file, found an empty one")
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

    /// Warns of figures on what may be training data.
    func warnOfTraining(_ probe: Probe, _ data: ActivationSet) {
        guard data.targets != nil, let file = probe.trainingFile(in: data) else { return }
        note(
            "warning: the probe was trained on a file called \(file); if it is the same, figures are too good"
        )
    }

    /// Says of probabilities for labels what is done with them.
    func noteSoftLabels(_ data: ActivationSet) {
        guard let targets = data.targets, targets.areSoft else { return }
        note(
            "labels are probabilities: losses take them as they are, and what needs classes cuts them at "
                + "\(Target.cut)")
    }

    /// A line for people, on standard error.
    func note(_ line: String) {
        if !quiet { StandardError.print(line.printable) }
    }
}

extension Encodable {
    /// One JSON object, keys sorted, for standard output.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try String(decoding: encoder.encode(self), as: UTF8.self)
    }
}
