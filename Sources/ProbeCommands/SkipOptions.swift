import ArgumentParser
package import AttentionProbes

/// Options that say what is left out instead of ending the work, the same in every subcommand that reads data.
struct SkipOptions: ParsableArguments {
    @Flag(
        help: """
            Leave out sequences without a token to look at, and requests of a server without tokens or with states of \
            fewer or more tokens than they have ids, instead of stopping.
            """)
    var skipEmpty = false
    @Flag(
        help:
            "Leave out files that break a rule when they are opened, or cannot be read, instead of stopping.")
    var skipBadShards = false

    var skips: Skips {
        var skips: Skips = skipEmpty ? [.emptySequences, .partialRequests] : []
        if skipBadShards { skips.insert(.badFiles) }
        return skips
    }
}

extension LeftOut {
    /// For people: a line for each reason, and for each of the first bad files what is wrong with it.
    ///
    /// - Parameter count: how many sequences there were.
    func notes(of count: Int) -> [String] {
        var lines: [String] = []
        if !unfinished.isEmpty {
            lines.append(
                "left out \(counted(unfinished.count, "file that is", "files that are")) still being written or cut "
                    + "short: \(few(unfinished))")
        }
        if !partial.isEmpty {
            lines.append(
                "left out \(counted(partial.count, "request")) without tokens, or with states of fewer or more tokens "
                    + "than ids: \(few(partial))")
        }
        if !badFiles.isEmpty {
            let rest = badFiles.count > 3 ? ["  … and \(badFiles.count - 3) more"] : []
            lines.append(
                "left out \(counted(badFiles.count, "file that breaks", "files that break")) a rule:")
            lines += badFiles.prefix(3).map { "  \($0.fault)" } + rest
        }
        if !empty.isEmpty {
            lines.append("left out \(counted(empty.count, "sequence")) without a token: \(few(empty))")
        }
        if !nonFinite.isEmpty {
            lines.append("left out \(nonFinite.count) of \(count) sequences with a NaN or infinity")
        }
        return lines
    }
}

/// What was left out, for programs: how many and which.
package struct LeftOutNames: Encodable {
    struct Part: Encodable {
        let count: Int
        let names: [String]
        var faults: [String]?

        init(_ names: [String], faults: [String]? = nil) {
            (count, self.names, self.faults) = (names.count, names, faults)
        }
    }

    let unfinished_files, partial_requests, bad_shards, empty_sequences, nonfinite_sequences: Part

    package init(_ leftOut: LeftOut) {
        unfinished_files = Part(leftOut.unfinished)
        partial_requests = Part(leftOut.partial)
        bad_shards = Part(leftOut.badFiles.map(\.path), faults: leftOut.badFiles.map(\.fault))
        empty_sequences = Part(leftOut.empty)
        nonfinite_sequences = Part(leftOut.nonFinite)
    }
}

/// A result with what was left out beside its own keys.
struct WithLeftOut<Result: Encodable>: Encodable {
    let result: Result
    let leftOut: LeftOutNames

    private enum CodingKeys: String, CodingKey { case leftOut = "left_out" }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(leftOut, forKey: .leftOut)
    }
}
