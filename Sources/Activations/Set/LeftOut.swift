// What of the data that were named is not in a set, and why.

/// What is left out of data where it cannot be used; all else that cannot be used is an error.
package struct Skips: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Sequences without a token to look at.
    package static let emptySequences = Skips(rawValue: 1)
    /// A server's requests without tokens, or with states of fewer or more tokens than they have ids.
    package static let partialRequests = Skips(rawValue: 2)
    /// Files that break a rule, or cannot be read.
    package static let badFiles = Skips(rawValue: 4)
}

/// What was left out of a set.
package struct LeftOut: Sendable, Equatable {
    /// A file, and a sentence about what is wrong with it.
    package struct BadFile: Sendable, Equatable {
        package let path, fault: String
    }

    /// Files that a running server still writes.
    package var unfinished: [String] = []
    /// Requests without tokens, or with states of fewer or more tokens than they have ids.
    package var partial: [String] = []
    /// Files that break a rule, or cannot be read.
    package var badFiles: [BadFile] = []
    /// Ids of sequences without a token to look at; of a file that has none but such, its path.
    package var empty: [String] = []
    /// Ids of sequences with a NaN or infinity.
    package var nonFinite: [String] = []

    package init() {}

    /// All that several sets leave out.
    package init(joining parts: [LeftOut]) {
        unfinished = parts.flatMap(\.unfinished)
        partial = parts.flatMap(\.partial)
        badFiles = parts.flatMap(\.badFiles)
        empty = parts.flatMap(\.empty)
        nonFinite = parts.flatMap(\.nonFinite)
    }

    /// The files that were left out whole.
    package var files: [String] { unfinished + partial + badFiles.map(\.path) }

    /// Names that a table may have for what was left out.
    var ids: [String] { empty + nonFinite + (partial + badFiles.map(\.path)).map(fileStem) }

    /// What there is in place of sequences, for a message.
    package var inPlaceOfSequences: String {
        if let bad = badFiles.first {
            return "none in \(badFiles.count == 1 ? "one file" : "\(badFiles.count) files"): \(bad.fault)"
        }
        let kinds = [
            (unfinished.count, "still being written or cut short"),
            (partial.count, "without tokens, or with states of fewer or more than their ids"),
        ]
        guard let (count, kind) = kinds.first(where: { $0.0 > 0 }) else {
            return empty.isEmpty ? "none" : "only sequences without a token to look at"
        }
        return count == 1
            ? "a file that is \(kind)" : "\(count) files that are \(kind)"
    }
}

extension ActivationSet {
    /// The same sequences without those that have no token to look at.
    ///
    /// - Throws: `DataError` where none is left.
    package func skippingEmpty() throws(DataError) -> ActivationSet {
        let empty = indices.filter { self[$0].count == 0 }
        guard !empty.isEmpty else { return self }
        guard empty.count < count else {
            throw DataError(
                .emptySequence, files[0].path, expected: "a sequence with a token to look at", found: "none")
        }
        let left = Set(empty)
        var leftOut = leftOut
        leftOut.empty += empty.map(id)
        return selecting(indices.filter { !left.contains($0) }, leftOut: leftOut)
    }

    /// The same sequences without those that have a NaN or infinity. O(T·D).
    ///
    /// - Throws: `DataError` where none is left, or a file has become shorter.
    package func skippingNonFinite(threads: Int) throws -> ActivationSet {
        let finite = try finiteSequences(threads: threads)
        guard finite.count < count else { return self }
        guard !finite.isEmpty else {
            throw DataError(
                .nonFinite, files[0].path, expected: "a sequence of finite numbers", found: "none")
        }
        let kept = Set(finite)
        var leftOut = leftOut
        leftOut.nonFinite += indices.filter { !kept.contains($0) }.map(id)
        return selecting(finite, leftOut: leftOut)
    }

    /// Refuses to go by ids where some of them are numbers that nobody knows: sequences without names are counted
    /// over all files, and those of a file that was left out are not.
    package func checkIDsAreKnown() throws(DataError) {
        guard let left = leftOut.files.first, let file = files.first(where: { !$0.namesSequences }) else {
            return
        }
        throw DataError(
            .mismatch, file.path,
            expected:
                "names of sequences (sequence_ids), since \(left) was left out and its sequences are not counted",
            found: "none")
    }
}
