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
    /// Names of the classes, if the files have any.
    public let classes: [String]?
    /// Their groups, if the files have any.
    public let groups: [Int]?

    /// Joins files.
    ///
    /// - Throws: `DataError` where there is no sequence, or files differ in width, classes, the
    ///   form of their labels, or in having groups.
    public init(_ files: [ActivationFile]) throws(DataError) {
        guard let first = files.first, files.contains(where: { $0.batch.count > 0 }) else {
            throw DataError(
                .shape, files.first?.path ?? "the data", expected: "at least one sequence", found: "none")
        }
        for file in files.dropFirst() {
            try first.checkFits(file)
            guard (file.groups == nil) == (first.groups == nil) else {
                throw DataError(
                    .mismatch, file.path, expected: "groups in all files or in none",
                    found: "a file that differs from \(first.path)")
            }
        }
        self.files = files
        locations = files.enumerated().flatMap { index, file in
            (0..<file.batch.count).map { Location(file: index, sequence: $0) }
        }
        classes = first.classes
        groups = first.groups.map { _ in files.flatMap { $0.groups! } }
        targets = first.targets.map { Targets(joining: files.map { $0.targets! }, like: $0) }
    }

    /// Opens files and folders; a folder stands for its `.safetensors` files in the order of names.
    ///
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks a rule.
    public init(paths: [String]) throws {
        try self.init(paths.flatMap(Self.files).map(ActivationFile.init(path:)))
    }

    /// The path itself, or if it is a folder the paths of its `.safetensors` files in the order of
    /// names.
    ///
    /// - Throws: `MissingInput` for a folder without any.
    public static func files(_ path: String) throws -> [String] {
        let isFolder = try? URL(fileURLWithPath: path).resourceValues(forKeys: [.isDirectoryKey]).isDirectory
        guard isFolder == true else { return [path] }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
            .filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }
        guard !names.isEmpty else { throw MissingInput(path: path, what: "files named *.safetensors") }
        return names.sorted().map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
    }

    private init(_ set: ActivationSet, selecting indices: [Int]) {
        files = set.files
        locations = indices.map { set.locations[$0] }
        targets = set.targets?.selecting(indices)
        classes = set.classes
        groups = set.groups.map { groups in indices.map { groups[$0] } }
    }

    /// The set of some of the sequences, in the order given; hidden states are shared.
    public func selecting(_ indices: [Int]) -> ActivationSet { ActivationSet(self, selecting: indices) }

    /// Checks that another set has the same width, classes and form of labels.
    ///
    /// - Throws: `DataError` that names the other's file.
    public func checkFits(_ other: ActivationSet) throws(DataError) {
        try files[0].checkFits(other.files[0])
    }

    /// N, the number of sequences.
    public var count: Int { locations.count }

    /// 0..<N.
    public var indices: Range<Int> { 0..<count }

    /// D, the width of a hidden state.
    public var width: Int { files[0].batch.width }

    /// T, the number of tokens of all sequences, hidden ones included.
    public var tokenCount: Int { indices.reduce(0) { $0 + self[$1].rows.count } }

    /// The tokens of one sequence.
    public subscript(index: Int) -> TokenSequence {
        let location = locations[index]
        return files[location.file].batch[location.sequence]
    }

    /// The id of a sequence; where its file names none, its number in the set.
    public func id(_ index: Int) -> String {
        let location = locations[index]
        return files[location.file].id(location.sequence) ?? String(index)
    }

    /// The text of the token at a position of a sequence; without text its id, "#1037", and without
    /// either its position, "[12]".
    public func tokenText(_ index: Int, position: Int) -> String {
        let location = locations[index]
        let file = files[location.file]
        return file.tokenText(file.batch.offsets[location.sequence] + position) ?? "[\(position)]"
    }

    /// What the labels say the task is: a name, if it was chosen, overrides the guess.
    ///
    /// Class indices are binary with two classes and multiclass with more; values that are all 0 or
    /// 1 are multilabel, others regression.
    ///
    /// - Throws: `DataError` without labels, or with labels that do not fit the task.
    public func task(named name: String? = nil) throws(DataError) -> ProbeTask {
        guard let targets else {
            throw DataError(
                .missingTensor, files[0].path, expected: "a tensor labels", found: "none")
        }
        func names(_ count: Int) -> [String] { classes ?? (0..<count).map(String.init) }
        let found: [ProbeTask]
        switch targets {
        case .classes(let indices):
            let count = classes?.count ?? max(2, (indices.max() ?? 0) + 1)
            let multiclass = ProbeTask.multiclass(classes: names(count))
            found = count == 2 ? [.binary(classes: names(2)), multiclass] : [multiclass]
        case .values(let values):
            let regression = ProbeTask.regression(outputs: values.columns)
            let multilabel = ProbeTask.multilabel(classes: names(values.columns))
            found =
                values.storage.allSatisfy { $0 == 0 || $0 == 1 } ? [multilabel, regression] : [regression]
        }
        guard let task = name == nil ? found[0] : found.first(where: { $0.name == name }) else {
            throw DataError(
                .labels, files[0].path, "tensor labels", expected: "labels of a \(name!) task",
                found: "those of \(found.map(\.name).formatted)")
        }
        return task
    }
}

extension ActivationFile {
    fileprivate func checkFits(_ other: ActivationFile) throws(DataError) {
        func check<T: Equatable>(_ what: String, _ value: (ActivationFile) -> T) throws(DataError) {
            guard value(other) != value(self) else { return }
            throw DataError(
                .mismatch, other.path, expected: "\(what) \(value(self)) as in \(path)",
                found: "\(value(other))")
        }
        try check("width") { $0.batch.width }
        try check("classes") { $0.classes?.joined(separator: ", ") ?? "none" }
        try check("labels:") { $0.targets?.form ?? "none" }
    }
}

extension Targets {
    fileprivate init(joining parts: [Targets], like form: Targets) {
        switch form {
        case .classes:
            self = .classes(
                parts.flatMap { part -> [Int] in
                    if case .classes(let classes) = part { classes } else { [] }
                })
        case .values(let first):
            let storage = parts.flatMap { part -> [Float] in
                if case .values(let values) = part { values.storage } else { [] }
            }
            self = .values(
                Matrix(rows: storage.count / first.columns, columns: first.columns, storage: storage))
        }
    }

    fileprivate var form: String {
        switch self {
        case .classes: "class indices"
        case .values(let values): "\(values.columns) values"
        }
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
