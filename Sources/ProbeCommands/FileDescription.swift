import AttentionProbes

/// What `inspect` says of one file.
struct FileDescription: Encodable {
    let path: String
    let format: String
    let tensors: [String: Tensor]
    let metadata: [String: String]
    var activations: Activations?
    var probe: ProbeSummary?

    struct Tensor: Encodable {
        let dtype: String
        let shape: [Int]
        /// How many of a list there are, of which this is the first; nil for a tensor alone.
        let count: Int?

        var text: String { "\(dtype) \(shape)" + (count.map { " first of \($0)" } ?? "") }
    }

    struct Activations: Encodable {
        let sequences: Int
        let tokens: Int
        let width: Int
        let element_type: String
        let shortest, median, longest: Int
        let length_histogram: [LengthBin]
        let labels: [String: Int]?
        let groups: Int?
        let layers: Int
        /// Tokens that `token_mask` hides from a probe; nil without it.
        let masked_tokens: Int?
        let nonfinite_sequences: Int
    }

    /// How many sequences have a length from `from` to `to`.
    struct LengthBin: Encodable {
        let from, to, sequences: Int
    }

    /// What a probe is, and how it was trained.
    struct ProbeSummary: Encodable {
        let summary, task: String
        let width, parameters: Int
        let threshold: Double?
        /// What an ensemble is made of; nil for others.
        let parts: [String]?
        /// Rows of weights that a token is multiplied with.
        let rows_per_token: Int
        let training: [String: String]
    }

    /// An expression that says which tokens are in sight, with the table that it goes by.
    struct Mask {
        private let expression: TokenMask
        private let promptLengths: LabelTable?

        /// - Returns: nil where none was asked for.
        init?(_ options: MaskOptions) throws {
            guard let mask = try options.expression() else { return nil }
            expression = mask
            promptLengths = try options.promptLengths.map { try LabelTable(promptLengths: $0, idColumn: nil) }
        }

        fileprivate func masked(_ set: ActivationSet, _ isAlone: Bool, skipsEmpty: Bool, _ threads: Int)
            throws
            -> ActivationSet
        {
            if promptLengths != nil, !isAlone, !set.files[0].namesSequences {
                throw DataError(
                    .mismatch, set.files[0].path,
                    expected:
                        "names of sequences (sequence_ids), or no other file beside it with --prompt-lengths",
                    found: "none")
            }
            return try set.masked(
                by: expression, promptLengths: promptLengths?.promptLengths(of: set) ?? [],
                skipsEmpty: skipsEmpty, threads: threads)
        }
    }

    /// Checks what is behind the header by the file's format, and reads all hidden states of
    /// activations, to count sequences with one that is not finite.
    ///
    /// - Parameters:
    ///   - mask: which tokens are to be in sight; nil for all that the file leaves.
    ///   - isAlone: whether there is no other file, so that sequences without names are known by their numbers.
    ///   - skips: what is left out instead of being an error.
    ///   - leftOut: takes the sequences that were left out.
    init(
        _ opened: OpenedFile, _ layers: [Int]?, _ mask: Mask?, isAlone: Bool, _ skips: Skips,
        leavingOut leftOut: inout LeftOut,
        readers: [any ActivationReader], _ threads: Int
    ) throws {
        let file = try opened.tensors
        path = opened.path
        let lists = file.lists.compactMap { name, tensors in
            tensors.first.map { (name, Tensor(dtype: $0.type, shape: $0.shape, count: tensors.count)) }
        }
        tensors = Dictionary(
            file.tensors.elements.map {
                ($0.name, Tensor(dtype: $0.value.type, shape: $0.value.shape, count: nil))
            } + lists
        ) { first, _ in first }
        metadata = file.metadata
        if metadata["format"] == Probe.fileFormat {
            format = "probe"
            probe = ProbeSummary(try Probe(file))
        } else if ActivationFile.recognises(file) {
            let allowsEmpty = skips.contains(.emptySequences)
            let first =
                try layers == nil
                ? opened.file
                : ActivationFile(file, layers: layers, allowsEmpty: allowsEmpty, readers: readers)
            let count = first.layerCount
            let data =
                count == 1 || layers != nil
                ? first
                : try ActivationFile(
                    file, layers: ActivationFile.layers(of: file, count: count, readers: readers),
                    allowsEmpty: allowsEmpty, readers: readers)
            format = data.form.name
            let all = try ActivationSet([data])
            var set = allowsEmpty ? try all.skippingEmpty() : all
            if let mask { set = try mask.masked(set, isAlone, skipsEmpty: allowsEmpty, threads) }
            leftOut.empty += set.leftOut.empty
            activations = try Self.activations(set, layers?.count ?? count, threads)
        } else {
            format = metadata["format"] ?? file.kind
        }
    }

    // `width` is that of one of the layers that were read.
    private static func activations(
        _ set: ActivationSet, _ layers: Int, _ threads: Int
    ) throws -> Activations {
        let file = set.files[0]
        let lengths = set.indices.map { set[$0].rows.count }.sorted()
        return Activations(
            sequences: set.count, tokens: set.tokenCount, width: set.width / layers,
            element_type: file.batch.tokens.elementType.rawValue, shortest: lengths[0],
            median: lengths[lengths.count / 2], longest: lengths[lengths.count - 1],
            length_histogram: LengthBin.bins(lengths),
            labels: set.labelCounts, groups: file.groups.map { Set($0).count }, layers: file.layerCount,
            masked_tokens: file.batch.tokenMask.map { _ in
                set.indices.reduce(0) { $0 + set[$1].rows.count - set[$1].count }
            },
            nonfinite_sequences: set.count - (try set.finiteSequences(threads: threads).count))
    }

    /// Lines for people, at most 80 wide but for the path.
    var text: String {
        var lines: [String] = []
        if let activations {
            let a = activations
            lines += [
                "  \(counted(a.sequences, "sequence")), \(counted(a.tokens, "token")) of \(a.width) \(a.element_type)",
                "  lengths \(a.shortest) to \(a.longest), median \(a.median)",
            ]
            lines += a.length_histogram.barLines.map { "    " + $0 }
            if a.layers > 1 { lines.append("  layers  \(a.layers)") }
            if let labels = a.labels {
                let counts = labels.sorted { $0.key < $1.key }
                    .map { "\($0.key.printable.shortened(to: 24)) \($0.value)" }
                lines.append("  labels  " + counts.listed(within: 70))
            } else if let shape = tensors["labels"]?.shape {
                lines.append("  labels  \(counted(shape.count > 1 ? shape[1] : 1, "number")) a sequence")
            }
            if let groups = a.groups { lines.append("  groups  \(groups)") }
            if let masked = a.masked_tokens {
                lines.append("  token_mask  hides \(counted(masked, "token"))")
            }
            lines.append("  sequences with a NaN or infinity  \(a.nonfinite_sequences)")
        }
        if let probe { lines += probe.lines }
        lines.append("  tensors")
        lines += columns(tensors.mapValues(\.text))
        let others = metadata.filter { probe?.training[$0.key] == nil }
        if !others.isEmpty {
            lines.append("  metadata")
            lines += columns(others)
        }
        return (["\(path.printable): \(format)"] + lines.map { $0.shortened(to: 80) }).joined(separator: "\n")
    }
}

extension FileDescription.LengthBin {
    /// Lengths, sorted, in at most eight intervals of whole numbers.
    static func bins(_ lengths: [Int]) -> [Self] {
        let (shortest, longest) = (lengths[0], lengths[lengths.count - 1])
        let width = max(1, (longest - shortest) / 8 + 1)
        return stride(from: shortest, through: longest, by: width).map { start in
            let end = min(longest, start + width - 1)
            return Self(from: start, to: end, sequences: lengths.count { (start...end).contains($0) })
        }
    }
}

extension [FileDescription.LengthBin] {
    fileprivate var barLines: [String] {
        let most = Swift.max(1, map(\.sequences).max() ?? 1)
        let digits = last.map { String($0.to).count } ?? 1
        return map { bin in
            // Whatever is there shows.
            let length = bin.sequences == 0 ? 0 : Swift.max(1, bin.sequences * 40 / most)
            let bar = String(repeating: "█", count: length) + (length > 0 ? " " : "")
            return "\(String(bin.from).padded(to: digits)) – \(String(bin.to).padded(to: digits))  "
                + bar + String(bin.sequences)
        }
    }
}

extension FileDescription.ProbeSummary {
    fileprivate init(_ probe: Probe) {
        summary = probe.configuration.summary
        task = probe.task.summary
        width = probe.width
        parameters = probe.parameters.count
        threshold = probe.task.hasThreshold ? probe.threshold : nil
        parts = probe.configuration.parts.isEmpty ? nil : probe.partNames
        rows_per_token = probe.rowsPerToken
        training = probe.training.texts
    }

    fileprivate var lines: [String] {
        let name = parts.map { "ensemble of \(counted($0.count, "part"))" } ?? summary
        var lines = ["  \(name), width \(width), \(parameters) parameters", "  \(task)"]
        if let parts {
            lines += parts.map { "    " + $0 } + ["  \(counted(rows_per_token, "row")) of weights a token"]
        }
        if let threshold { lines.append("  threshold \(threshold)") }
        lines.append(training.isEmpty ? "  does not say how it was trained" : "  trained with")
        return lines + columns(training)
    }
}

private func columns(_ entries: [String: String]) -> [String] {
    let width = entries.keys.map(\.printable.displayWidth).max() ?? 0
    return entries.sorted { $0.key < $1.key }
        .map { "    " + $0.key.printable.filled(to: width + 2) + $0.value.printable }
}
