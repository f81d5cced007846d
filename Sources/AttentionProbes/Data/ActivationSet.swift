private import Foundation
public import Tensors

/// Sequences from one or several files, as one set: what training, scoring and evaluation take.
///
/// Files are joined without copying hidden states; sequences keep their files' order.
public struct ActivationSet: Sendable {
    /// Where a sequence is.
    public struct Location: Sendable, Equatable {
        /// Which of the files.
        public let file: Int
        /// Which of that file's sequences.
        public let sequence: Int
    }

    /// The files.
    public let files: [ActivationFile]
    /// Where each of the N sequences is.
    public let locations: [Location]
    /// Their labels, if the files have any.
    public let targets: Targets?
    // The number of each file's first sequence among all sequences of the files.
    private let starts: [Int]
    /// Names of the classes, if the files have any.
    public let classes: [String]?
    /// Their groups, if the files have any.
    public let groups: [Int]?
    /// How much each counts in training, if the files say so.
    public let weights: [Float]?

    /// Joins files.
    ///
    /// - Parameter labelled: whether labels, classes and groups are taken over; without, files may
    ///   differ in them.
    /// - Throws: `DataError` where there is no sequence, or files differ in width, classes, the
    ///   form of their labels, or in having groups.
    public init(_ files: [ActivationFile], labelled: Bool = true) throws(DataError) {
        guard let first = files.first, files.contains(where: { $0.batch.count > 0 }) else {
            throw DataError(
                .shape, files.first?.path ?? "the data", expected: "at least one sequence", found: "none")
        }
        for file in files.dropFirst() {
            try first.checkWidth(file)
            guard labelled else { continue }
            try first.checkLabels(file)
            try first.checkPresence(file, "groups") { $0.groups != nil }
            try first.checkPresence(file, "weights") { $0.weights != nil }
        }
        self.files = files
        locations = files.enumerated().flatMap { index, file in
            (0..<file.batch.count).map { Location(file: index, sequence: $0) }
        }
        starts = files.dropLast().reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.batch.count) }
        let labelling = labelled ? first : nil
        classes = labelling?.classes
        groups = labelling?.groups.map { _ in files.flatMap { $0.groups! } }
        weights = labelling?.weights.map { _ in files.flatMap { $0.weights! } }
        targets = labelling?.targets.map { Targets(joining: files.map { $0.targets! }, like: $0) }
    }

    /// Opens files and folders; a folder stands for its `.safetensors` files in the order of names.
    ///
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks a rule.
    public init(paths: [String], labelled: Bool = true) throws {
        let paths = try paths.flatMap(Self.files)
        let files = try Parallel.map(count: paths.count, threads: Parallel.availableThreads) {
            try ActivationFile(path: paths[$0])
        }
        try self.init(files, labelled: labelled)
    }

    /// The path itself, or if it is a folder the paths of its `.safetensors` files in the order of
    /// names.
    ///
    /// - Throws: `MissingInput` for a folder without any.
    public static func files(_ path: String) throws -> [String] {
        guard isFolder(path) else { return [path] }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            .filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }
        guard !names.isEmpty else { throw MissingInput(path: path, what: "files named *.safetensors") }
        return names.sorted().map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
    }

    private init(_ set: ActivationSet, groups: [Int]) {
        files = set.files
        locations = set.locations
        starts = set.starts
        targets = set.targets
        classes = set.classes
        weights = set.weights
        self.groups = groups
    }

    /// The same sequences in other groups.
    ///
    /// - Precondition: one group a sequence.
    public func grouped(_ groups: [Int]) -> ActivationSet {
        precondition(groups.count == count, "one group a sequence")
        return ActivationSet(self, groups: groups)
    }

    private init(_ set: ActivationSet, selecting indices: [Int]) {
        files = set.files
        locations = indices.map { set.locations[$0] }
        starts = set.starts
        targets = set.targets?.selecting(indices)
        classes = set.classes
        groups = set.groups.map { groups in indices.map { groups[$0] } }
        weights = set.weights.map { weights in indices.map { weights[$0] } }
    }

    /// The set of some of the sequences, in the order given; hidden states are shared.
    public func selecting(_ indices: [Int]) -> ActivationSet { ActivationSet(self, selecting: indices) }

    /// Checks that another set has the same width.
    ///
    /// - Throws: `DataError` that names the other's file.
    func checkWidth(_ other: ActivationSet) throws(DataError) { try files[0].checkWidth(other.files[0]) }

    /// N, the number of sequences.
    public var count: Int { locations.count }

    /// 0..<N.
    public var indices: Range<Int> { 0..<count }

    /// D, the width of a hidden state.
    public var width: Int { files[0].batch.width }

    /// T, the number of tokens of all sequences, hidden ones included.
    public var tokenCount: Int { indices.reduce(0) { $0 + length($1) } }

    /// L, the number of tokens of one sequence, hidden ones included. O(1).
    public func length(_ index: Int) -> Int {
        let location = locations[index]
        let offsets = files[location.file].batch.offsets
        return offsets[location.sequence + 1] - offsets[location.sequence]
    }

    /// The tokens of one sequence.
    public subscript(index: Int) -> TokenSequence {
        let location = locations[index]
        return files[location.file].batch[location.sequence]
    }

    /// Starts to read the hidden states of sequences in the order of their use.
    func readAhead(_ order: some Sequence<Int>) -> ReadAhead {
        var parts: [ReadAhead.Part] = []
        if files.contains(where: { $0.batch.tokens.file != nil }) {
            for index in order {
                let location = locations[index]
                let batch = files[location.file].batch
                let rows = batch.offsets[location.sequence]..<batch.offsets[location.sequence + 1]
                if let part = batch.tokens.part(rows) { parts.append(part) }
            }
        }
        return ReadAhead(parts)
    }

    /// Whether the hidden states are in files that together take more than half of the machine's memory.
    var isLargerThanMemory: Bool {
        let bytes = files.reduce(0) { $0 + ($1.batch.tokens.file?.count ?? 0) }
        return bytes > Int(ProcessInfo.processInfo.physicalMemory / 2)
    }

    /// Checks that the files of some sequences are as long as when they were opened.
    ///
    /// - Throws: `DataError` that names one that is shorter.
    func checkLengths(_ range: Range<Int>) throws(DataError) {
        var last: Int?
        for index in range where locations[index].file != last {
            last = locations[index].file
            guard let file = files[locations[index].file].batch.tokens.file else { continue }
            let length = file.presentLength
            guard length < file.count else { continue }
            throw DataError(
                .truncated, file.path, expected: "\(file.count) bytes as when it was opened",
                found: "\(length): the file was cut while it was read")
        }
    }

    /// Bytes of a sequence's hidden states as they are stored. O(1).
    func byteCount(_ index: Int) -> Int {
        length(index) * files[locations[index].file].batch.tokens.rowSize
    }

    /// The id of a sequence; where its file names none, its number among all sequences of the files.
    public func id(_ index: Int) -> String {
        let location = locations[index]
        if let id = files[location.file].id(location.sequence) { return id }
        return String(starts[location.file] + location.sequence)
    }

    /// The text of the token at a position of a sequence; without text its id, "#1037", and without
    /// either its position, "[12]".
    public func tokenText(_ index: Int, position: Int) -> String {
        let location = locations[index]
        let file = files[location.file]
        return file.tokenText(file.batch.offsets[location.sequence] + position) ?? "[\(position)]"
    }

    /// Whether tokens of all files have texts.
    public var hasTokenText: Bool { files.allSatisfy(\.hasTokenText) }

    /// Whether tokens of all files have texts or ids, so that two of one name are the same token.
    public var namesTokens: Bool { files.allSatisfy { $0.hasTokenText || $0.hasTokenIDs } }

    /// Whether the bytes of a token's text are UTF-8; true where it has no text.
    public func isTokenTextValid(_ index: Int, position: Int) -> Bool {
        let location = locations[index]
        let file = files[location.file]
        return file.isTokenTextValid(file.batch.offsets[location.sequence] + position)
    }
}

extension ActivationFile {
    fileprivate func checkWidth(_ other: ActivationFile) throws(DataError) {
        try check(other, "width") { "\($0.batch.width)" }
    }

    fileprivate func checkLabels(_ other: ActivationFile) throws(DataError) {
        try check(other, "classes") { $0.classes?.joined(separator: ", ") ?? "none" }
        try check(other, "labels:") { $0.targets?.form ?? "none" }
    }

    fileprivate func checkPresence(
        _ other: ActivationFile, _ what: String, _ has: (ActivationFile) -> Bool
    ) throws(DataError) {
        guard has(other) != has(self) else { return }
        throw DataError(
            .mismatch, other.path, expected: "\(what) in all files or in none",
            found: "a file that differs from \(path)")
    }

    private func check(
        _ other: ActivationFile, _ what: String, _ value: (ActivationFile) -> String
    ) throws(DataError) {
        guard value(other) != value(self) else { return }
        throw DataError(
            .mismatch, other.path, expected: "\(what) \(value(self)) as in \(path)", found: value(other))
    }
}

/// A path where something was looked for in vain.
public struct MissingInput: Error, Equatable, CustomStringConvertible {
    /// The path.
    public let path: String
    /// What was looked for.
    public let what: String

    /// "runs: expected files named *.safetensors, found none".
    public var description: String { "\(path): expected \(what), found none" }
}
