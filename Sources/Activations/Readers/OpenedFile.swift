internal import Tensors
import Storage

/// One of several files that are opened together, or what keeps it from being read.
package struct OpenedFile: Sendable {
    /// Its path.
    package let path: String
    // The open file, and its activations; both wrong where it is none.
    private let source: Result<TensorFile, any Error>
    private let activations: Result<ActivationFile, any Error>
    /// Whether a server still writes it.
    let isLocked: Bool
    // Whether a folder lists it.
    private let isListed: Bool

    init(
        _ input: InputFile, layers: [Int]?, isLook: Bool = false, allowsEmpty: Bool = false,
        readers: [any ActivationReader] = activationReaders
    ) {
        path = input.path
        isListed = input.hasLock != nil
        let source = Result { try TensorFile(input) }
        let activations = source.flatMap { file in
            Result {
                let layers =
                    isLook ? Array(ActivationFile.layers(of: file, readers: readers).prefix(1)) : layers
                return try ActivationFile(file, layers: layers, allowsEmpty: allowsEmpty, readers: readers)
            }
        }
        isLocked =
            switch activations {
            case .success(let file):
                file.form.mayBeUnfinished && (input.isLocked || file.batch.tokens.isLocked)
            // Its lock may be younger than the folder's list.
            case .failure: InputFile(path: input.path, hasLock: nil).isLocked
            }
        (self.source, self.activations) = (source, activations)
    }

    /// The open file, of activations or not.
    package var tensors: TensorFile { get throws { try source.get() } }

    /// Its activations.
    package var file: ActivationFile { get throws { try activations.get() } }

    /// Opens files side by side, all but those that a running server still writes: locked ones, and those that end
    /// early in a folder of such files; and but what is to be left out.
    ///
    /// - Parameter isLook: whether any one layer will do.
    static func open(
        _ inputs: [InputFile], layers: [Int]?, isLook: Bool = false, skips: Skips = [],
        readers: [any ActivationReader] = activationReaders
    ) -> (whole: [OpenedFile], leftOut: LeftOut) {
        reserveOpenFiles(inputs.count)
        // Nothing throws: a fault is a result.
        let opened = try! Parallel.map(count: inputs.count, threads: Parallel.availableThreads) {
            OpenedFile(
                inputs[$0], layers: layers, isLook: isLook, allowsEmpty: skips.contains(.emptySequences),
                readers: readers)
        }
        let folders = Set(opened.filter(\.mayBeUnfinished).map(\.folder))
        var (whole, leftOut) = ([OpenedFile](), LeftOut())
        for file in opened {
            if file.isLocked {
                leftOut.unfinished.append(file.path)
            } else if skips.contains(.partialRequests), file.isPartial {
                leftOut.partial.append(file.path)
            } else if skips.contains(.emptySequences), file.fault(.emptySequence) {
                leftOut.empty.append(file.path)
            } else if file.fault(.truncated), folders.contains(file.folder) {
                leftOut.unfinished.append(file.path)
            } else if skips.contains(.badFiles), !isLook, let bad = file.bad {
                leftOut.badFiles.append(bad)
            } else {
                whole.append(file)
            }
        }
        return (whole, leftOut)
    }

    /// Opens files and folders of them, of activations or not, each once, and all but those that a running server
    /// still writes, and requests that are to be left out.
    ///
    /// - Throws: `MissingInput` for a folder without any; `SystemError` for one that cannot be listed.
    package static func open(
        _ paths: [String], skips: Skips = [], readers: [any ActivationReader] = activationReaders
    ) throws -> (whole: [OpenedFile], leftOut: LeftOut) {
        open(try paths.flatMap(InputFile.all), layers: nil, isLook: true, skips: skips, readers: readers)
    }

    /// The file with an error, where that is a fault of the file: it breaks a rule, or cannot be read. Nil where it lacks
    /// what was asked for, as a layer, where a path that was named leads nowhere, and where the machine has no room.
    package func bad(_ error: any Error) -> LeftOut.BadFile? {
        let isOfFile =
            switch error {
            case let error as DataError: ![.layers, .noRoom].contains(error.rule)
            case let error as SystemError: error.isOfFile && (isListed || !error.isAbsent)
            default: false
            }
        return isOfFile ? LeftOut.BadFile(path: path, fault: "\(error)") : nil
    }

    private var bad: LeftOut.BadFile? {
        guard case .failure(let error) = activations else { return nil }
        return bad(error)
    }

    private var isPartial: Bool { (try? tensors).map(RequestDumpReader().isPartial) ?? false }

    private var mayBeUnfinished: Bool { isLocked || (try? file)?.form.mayBeUnfinished == true }

    private func fault(_ rule: DataError.Rule) -> Bool {
        guard case .failure(let error as DataError) = activations else { return false }
        return error.rule == rule
    }

    private var folder: Substring { path.lastIndex(of: "/").map { path[..<$0] } ?? "" }
}

extension ActivationSet {
    /// Opens files in any of the forms that `docs/formats.md` lists, and folders of them. Dumps that a
    /// running server still writes are left out.
    ///
    /// - Parameters:
    ///   - labelled: as for `init(_:labelled:)`.
    ///   - layers: which layers to take of files that hold several, counted from 0 as they are stored,
    ///     or of files that hold one each, by the `layer` in their metadata; several become one wider
    ///     hidden state. nil for all that there is.
    ///   - skipsEmpty: whether sequences without a token to look at are left out, and requests of a server with states of
    ///     fewer or more tokens than they have ids; else they are an error.
    ///   - skipsBadFiles: whether files that break a rule when they are opened, or cannot be read, are left out; else they
    ///     are an error. Files that do not fit together are an error in any case.
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks a rule, or nothing is left.
    public init(
        paths: [String], labelled: Bool = true, layers: [Int]? = nil, skipsEmpty: Bool = false,
        skipsBadFiles: Bool = false
    ) throws {
        var skips: Skips = skipsEmpty ? [.emptySequences, .partialRequests] : []
        if skipsBadFiles { skips.insert(.badFiles) }
        try self.init(
            paths: paths, labelled: labelled, layers: layers, skips: skips, readers: activationReaders)
    }

    /// The same in the forms of some readers.
    package init(
        paths: [String], labelled: Bool = true, layers: [Int]? = nil, skips: Skips = [],
        readers: [any ActivationReader]
    ) throws {
        let (opened, leftOut) = OpenedFile.open(
            try paths.flatMap(InputFile.all), layers: layers, skips: skips, readers: readers)
        let files = try LayerStack.joined(opened.map { try $0.file }, layers)
        let all = try ActivationSet(files, labelled: labelled, leftOut: leftOut)
        // Without names nothing says that files of different layers are of the same sequences.
        if files.contains(where: { $0.parts.count > 1 }) { try all.checkIDsAreKnown() }
        self = skips.contains(.emptySequences) ? try all.skippingEmpty() : all
    }
}
