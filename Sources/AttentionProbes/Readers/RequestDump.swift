// The hidden states that a vLLM server writes (its ExampleHiddenStatesConnector): for every request a file
// `REQUEST.safetensors` with `hidden_states` tokens×layers×D and `token_ids` (tokens). Layers are in the
// order in which the server was asked for them; files do not say which of the model's they are.
//
// While a request is under way the server holds a lock (`flock`) on `REQUEST.safetensors.lock` beside it,
// older ones none. A locked file, and in such a folder one that is cut short, is not there yet; so is one with no
// token, or with states of fewer tokens than it has ids.
internal import Tensors

extension Safetensors {
    func requestLayout(_ layers: [Int]?) throws(DataError) -> ActivationForm.Layout {
        let (states, type, width) = try states(dimensions: 3)
        let (rows, count) = (states.shape[0], states.shape[1])
        let ids = try require("token_ids", types: Self.indexTypes, dimensions: 1).shape[0]
        // The bytes that are there bound the numbers only where none is 0.
        guard rows > 0, count > 0 else {
            throw DataError(
                rows == 0 ? .truncated : .emptySequence, file.path, "tensor hidden_states",
                expected: "at least one token and one layer", found: "\(states.shape)")
        }
        guard rows >= ids else {
            throw DataError(
                .truncated, file.path, "tensor token_ids",
                expected: "shape [\(rows)] as hidden_states has tokens",
                found: "shape [\(ids)]: states are cut short")
        }
        _ = try require("token_ids", types: Self.indexTypes, shape: [rows])
        guard let layers = layers ?? (count == 1 ? [0] : nil) else {
            throw DataError(
                .layers, file.path, "tensor hidden_states",
                expected: "one layer, or --layer 0 to \(count - 1) to choose one", found: "\(count) layers")
        }
        for layer in layers where !(0..<count).contains(layer) {
            throw DataError(
                .layers, file.path, "tensor hidden_states", expected: "layer \(layer)",
                found: "layers 0 to \(count - 1)")
        }
        let pieces = layers.map { layer in
            TokenMatrix.Piece(
                file, offset: states.bytes.lowerBound + layer * width * type.size,
                stride: count * width * type.size, columns: width)
        }
        let matrix = TokenMatrix(pieces: pieces, elementType: type, rows: rows)
        return ActivationForm.Layout(
            batch: try oneSequence(matrix), tokenShape: [rows], layerCount: count, isOneSequence: true)
    }
}

/// One of several files that are opened together.
enum OpenedFile: Sendable {
    case whole(ActivationFile)
    /// A server still writes it.
    case locked
    case failed(any Error)

    init(_ input: InputFile, layers: [Int]?, allowsEmpty: Bool = false) {
        do {
            let file = try ActivationFile(path: input.path, layers: layers, allowsEmpty: allowsEmpty)
            let isLocked =
                file.form == .requestDump
                && (input.isLocked || file.batch.tokens.isLocked)
            self = isLocked ? .locked : .whole(file)
        } catch {
            // Its lock may be younger than the folder's list.
            self = InputFile(path: input.path, hasLock: nil).isLocked ? .locked : .failed(error)
        }
    }

    /// The file, if it is whole.
    func file() throws -> ActivationFile {
        switch self {
        case .whole(let file): return file
        case .failed(let error): throw error
        case .locked: preconditionFailure("a file that is still being written")
        }
    }

    /// Opens files side by side.
    static func open(_ inputs: [InputFile], layers: [Int]?, allowsEmpty: Bool = false) -> [OpenedFile] {
        reserveOpenFiles(inputs.count)
        // Nothing throws: a fault is a result.
        return try! Parallel.map(count: inputs.count, threads: Parallel.availableThreads) {
            OpenedFile(inputs[$0], layers: layers, allowsEmpty: allowsEmpty)
        }
    }

    /// Which of the files a server still writes: locked ones, and those that end early in a folder of dumps.
    static func areUnfinished(_ opened: [OpenedFile], _ inputs: [InputFile]) -> [Bool] {
        lazy var dumps = Set(zip(inputs, opened).filter(\.1.isDump).map { folder($0.0.path) })
        return zip(inputs, opened).map { input, file in
            switch file {
            case .whole: false
            case .locked: true
            case .failed(let error):
                (error as? DataError)?.rule == .truncated && dumps.contains(folder(input.path))
            }
        }
    }

    private var isDump: Bool {
        switch self {
        case .whole(let file): file.form == .requestDump
        case .locked: true
        case .failed: false
        }
    }

    private static func folder(_ path: String) -> Substring {
        path.lastIndex(of: "/").map { path[..<$0] } ?? ""
    }
}

extension ActivationSet {
    /// Which of some files a running server still writes.
    public static func unfinished(among paths: [String]) -> [String] {
        let inputs = paths.map { InputFile(path: $0, hasLock: nil) }
        let opened = OpenedFile.open(inputs, layers: [0])
        return zip(paths, OpenedFile.areUnfinished(opened, inputs)).filter(\.1).map(\.0)
    }
}
