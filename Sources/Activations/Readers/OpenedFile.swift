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

    init(
        _ input: InputFile, layers: [Int]?, isLook: Bool = false, allowsEmpty: Bool = false,
        readers: [any ActivationReader] = activationReaders
    ) {
        path = input.path
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

    /// Opens files side by side.
    ///
    /// - Parameter isLook: whether any one layer will do.
    static func open(
        _ inputs: [InputFile], layers: [Int]?, isLook: Bool = false, allowsEmpty: Bool = false,
        readers: [any ActivationReader] = activationReaders
    ) -> (whole: [OpenedFile], unfinished: [String]) {
        reserveOpenFiles(inputs.count)
        // Nothing throws: a fault is a result.
        let opened = try! Parallel.map(count: inputs.count, threads: Parallel.availableThreads) {
            OpenedFile(
                inputs[$0], layers: layers, isLook: isLook, allowsEmpty: allowsEmpty, readers: readers)
        }
        let folders = Set(opened.filter(\.mayBeUnfinished).map(\.folder))
        let areUnfinished = opened.map { $0.isLocked || $0.isCut && folders.contains($0.folder) }
        return (
            zip(opened, areUnfinished).filter { !$1 }.map(\.0),
            zip(opened, areUnfinished).filter(\.1).map(\.0.path)
        )
    }

    /// Opens files and folders of them, of activations or not, each once, and all but those that a running server
    /// still writes: locked ones, and those that end early in a folder of such files.
    ///
    /// - Throws: `MissingInput` for a folder without any; `SystemError` for one that cannot be listed.
    package static func open(
        _ paths: [String], readers: [any ActivationReader] = activationReaders
    ) throws -> (whole: [OpenedFile], unfinished: [String]) {
        open(try paths.flatMap(InputFile.all), layers: nil, isLook: true, readers: readers)
    }

    private var mayBeUnfinished: Bool { isLocked || (try? file)?.form.mayBeUnfinished == true }

    private var isCut: Bool {
        guard case .failure(let error as DataError) = activations else { return false }
        return error.rule == .truncated
    }

    private var folder: Substring { path.lastIndex(of: "/").map { path[..<$0] } ?? "" }
}

extension ActivationSet {
    /// Opens files in any of the forms of `ActivationReader`, and folders of them (`files`). Dumps that a
    /// running server still writes are left out, and named by `unfinished`.
    ///
    /// - Parameters:
    ///   - labelled: as for `init(_:labelled:)`.
    ///   - layers: which layers to take of files that hold several, counted from 0 as they are stored,
    ///     or of files that hold one each, by the `layer` in their metadata; several become one wider
    ///     hidden state. nil for all that there is.
    ///   - skipsEmpty: whether sequences without a token to look at are left out, and named by `empty`; else they
    ///     are an error.
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks a rule.
    public init(
        paths: [String], labelled: Bool = true, layers: [Int]? = nil, skipsEmpty: Bool = false
    ) throws {
        try self.init(
            paths: paths, labelled: labelled, layers: layers, skipsEmpty: skipsEmpty,
            readers: activationReaders)
    }

    /// The same in the forms of some readers.
    package init(
        paths: [String], labelled: Bool = true, layers: [Int]? = nil, skipsEmpty: Bool = false,
        readers: [any ActivationReader]
    ) throws {
        let (opened, unfinished) = OpenedFile.open(
            try paths.flatMap(InputFile.all), layers: layers, allowsEmpty: skipsEmpty, readers: readers)
        let all = try ActivationSet(
            LayerStack.joined(opened.map { try $0.file }, layers), labelled: labelled, unfinished: unfinished)
        self = skipsEmpty ? try all.skippingEmpty() : all
    }
}
