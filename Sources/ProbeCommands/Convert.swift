import ArgumentParser
import AttentionProbes

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write activations of any form as flat activation files.",
        usage: "attnprobe convert IN... --out OUT [--dtype f16] [options]",
        discussion: """
            Takes what the other subcommands take, also labels from a table, and keeps all that \
            they know about sequences and tokens; tensors of other names stay behind. NaN and \
            infinity are kept as they are (f8 has NaN alone), unless --skip-nonfinite leaves such sequences out. With --shard-size OUT is a folder of files \
            OUT-00001-of-00004.safetensors; with --test-fraction OUT-train and OUT-test are \
            written in place of OUT. Files end in .safetensors, which is added where it is missing: \
            folders are searched for such names.

              attnprobe convert dumps/ --layer 1 --labels labels.csv --out data
              attnprobe convert shards/ --dtype bf16 --test-fraction 0.2 --out data
            """)

    @Argument(help: "Activation files or folders, in any form.")
    var data: [String]
    @OptionGroup var output: ConvertOutput
    @Option(help: "Take only the sequences whose ids are in this file, one a line; - for standard input.")
    var ids: String?
    @Option(help: "Take so many sequences at random, by --seed.")
    var sample: Int?
    @Option(help: "Fraction of sequences to write as OUT-test, stratified by class, whole groups; by --seed.")
    var testFraction: Double?
    @OptionGroup var grouping: GroupOption
    @Flag(help: "Print a JSON object about what was written on standard output.")
    var json = false
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        try require(sample, "sample")
        try require(testFraction, "test-fraction", "a number between 0 and 1") { $0 > 0 && $0 < 1 }
    }

    func run() throws {
        let data = try chosen(grouping.grouped(shared.open(data, labels: labelling)))
        for name in data.partialTokenTensors {
            shared.note("\(name): left out, because not all files have it")
        }
        var parts: [(path: String, data: ActivationSet)] = [(output.path(), data)]
        if let testFraction {
            // By class, where labels are classes.
            let classes = (try? data.labelled(for: data.task())) ?? data
            let (train, test) = classes.split(fraction: testFraction, seed: shared.seed)
            guard !train.isEmpty, !test.isEmpty else {
                throw DataError(
                    .mismatch, data.files[0].path,
                    expected: "groups that --test-fraction \(testFraction) can divide",
                    found: train.isEmpty ? "none left for training" : "none small enough for the test")
            }
            parts = [
                (output.path(part: "train"), data.selecting(train)),
                (output.path(part: "test"), data.selecting(test)),
            ]
        }
        // Before the first is written: nothing that is there is lost.
        let outputs = try parts.map { try output.files(for: $0.data, $0.path) }
        for file in outputs.joined() { try SharedOptions.checkOutput(file.path) }
        let interrupt = Interrupt(isQuiet: shared.quiet)
        let line = ProgressLine(isShown: !shared.quiet)
        var written: [Summary.File] = []
        do {
            for (part, files) in zip(parts, outputs) {
                if output.shardSize != nil {
                    try makeFolder(part.path)
                }
                var progress = ScoreProgress(part.data)
                for file in files where file.isKept { progress.skip(file.range) }
                for file in files {
                    let shard =
                        file.range == part.data.indices
                        ? part.data : part.data.selecting(Array(file.range))
                    if !file.isKept {
                        try shard.write(
                            to: file.path, as: output.elementType, threads: shared.threadCount,
                            isDurable: false
                        ) { range in
                            if interrupt.isSet { throw ExitCode(130) }
                            let start = file.range.lowerBound
                            progress.add(start + range.lowerBound..<start + range.upperBound)
                            line.show(progress.line(line.elapsed))
                        }
                    }
                    written.append(
                        Summary.File(
                            path: file.path, sequences: shard.count, tokens: shard.tokenCount,
                            kept: file.isKept))
                }
            }
        } catch {
            line.abandon()
            if interrupt.isSet { shared.note("interrupted") }
            if !written.isEmpty {
                shared.note(
                    "complete: \(few(written.map(\.path)))"
                        + (output.shardSize == nil ? "" : "; --resume goes on behind them"))
            }
            throw error
        }
        line.finish()
        let summary = Summary(
            files: written, dtype: (output.elementType ?? data.storedType).rawValue, width: data.width,
            unfinished: data.leftOut.unfinished)
        shared.note(summary.text)
        if json { try StandardOutput.print(shared.json(summary)) }
    }

    private struct Summary: Encodable {
        struct File: Encodable {
            let path: String
            let sequences, tokens: Int
            // From an earlier run.
            let kept: Bool
        }
        let files: [File]
        let dtype: String
        let width: Int
        // Files that a running server still writes, which were left out.
        let unfinished: [String]

        var text: String {
            let new = files.filter { !$0.kept }
            let sequences = counted(new.reduce(0) { $0 + $1.sequences }, "sequence")
            let tokens = counted(new.reduce(0) { $0 + $1.tokens }, "token")
            let kept = files.count - new.count
            let parts =
                (new.isEmpty
                    ? [] : ["wrote \(sequences), \(tokens) of \(width) \(dtype) to \(few(new.map(\.path)))"])
                + (kept == 0 ? [] : ["kept \(counted(kept, "file"))"])
            return parts.joined(separator: "; ")
        }
    }

    // The sequences that --ids and --sample leave.
    private func chosen(_ data: ActivationSet) throws -> ActivationSet {
        var data = data
        if let ids {
            SharedOptions.reads([ids])
            let file = try ByteSource.whole(ids)
            let bytes = file.bytes(0..<file.count)
            let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
            // Ids are bytes: no more than the ends of lines is taken away.
            let wanted = bytes[start...].split(separator: UInt8(ascii: "\n"))
                .map { String(decoding: $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0, as: UTF8.self) }
                .filter { !$0.isEmpty }
            try data.checkIDsAreKnown()
            let set = Set(wanted.map(\.idBytes))
            let indices = data.indices.filter { set.contains(data.id($0).idBytes) }
            let found = Set(indices.map { data.id($0).idBytes })
            let missing = wanted.filter { !found.contains($0.idBytes) }
            guard !indices.isEmpty else {
                throw DataError(
                    .table, file.path,
                    expected: "ids of the data, as \(few(data.indices.prefix(3).map(data.id)))",
                    found: wanted.isEmpty ? "none" : few(wanted))
            }
            if !missing.isEmpty {
                shared.note(unmatched(missing, of: file.path))
            }
            data = data.selecting(indices)
        }
        if let sample {
            if sample > data.count {
                shared.note("--sample \(sample): found only \(counted(data.count, "sequence"))")
            }
            data = data.selecting(data.sample(sample, seed: shared.seed))
        }
        return data
    }
}
