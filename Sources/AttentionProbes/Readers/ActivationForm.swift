// The forms in which files hold the hidden states of sequences, told apart by what is in them:
//
//     flat           hidden_states T×D and offsets          sequences end to end (metadata `format`)
//     padded         hidden_states N×S×D and attention_mask N×S
//     request dump   hidden_states tokens×layers×D and token_ids: one request of a vLLM server
//     one sequence   an array L×D alone in a .npy or .npz file
internal import Tensors

/// How a file holds its sequences.
public enum ActivationForm: Sendable, Equatable {
    /// End to end with offsets, in safetensors or, where `isArchive`, in .npz.
    case flat(isArchive: Bool)
    /// A rectangle with a mask, likewise.
    case padded(isArchive: Bool)
    /// One request of a vLLM server.
    case requestDump
    /// One array in .npy or, where `isArchive`, .npz.
    case sequence(isArchive: Bool)
    /// No file.
    case memory

    /// What `inspect` calls it.
    public var name: String {
        switch self {
        case .flat(let isArchive): isArchive ? "activations in .npz" : "activations"
        case .padded(let isArchive): isArchive ? "padded activations in .npz" : "padded activations"
        case .requestDump: "vLLM hidden states of one request"
        case .sequence(let isArchive): isArchive ? "one sequence in .npz" : "one sequence in .npy"
        case .memory: "activations in memory"
        }
    }

    init(_ file: Safetensors, _ container: TensorContainer) throws(DataError) {
        let dimensions = file.tensors["hidden_states"]?.shape.count
        switch container {
        case .npy: self = .sequence(isArchive: false)
        case .npz:
            if dimensions == 3 {
                self = .padded(isArchive: true)
            } else {
                self = file.tensors["offsets"] == nil ? .sequence(isArchive: true) : .flat(isArchive: true)
            }
        case .safetensors:
            if dimensions == 3, file.tensors["attention_mask"] != nil {
                self = .padded(isArchive: false)
            } else if dimensions == 3, file.tensors["token_ids"] != nil {
                self = .requestDump
            } else if dimensions == 3, file.metadata["format"] != ActivationFile.fileFormat {
                throw DataError(
                    .missingTensor, file.file.path,
                    expected:
                        "attention_mask beside hidden_states of three dimensions (padded), or token_ids (vLLM)",
                    found: file.tensorNames)
            } else {
                self = .flat(isArchive: false)
            }
        }
    }

    /// Where the sequences of a file are.
    struct Layout {
        var batch: RaggedBatch
        /// The shape of tensors with one element a token.
        var tokenShape: [Int]
        var layerCount = 1
        var isOneSequence = false
    }

    func layout(_ file: Safetensors, _ layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> Layout {
        switch self {
        case .flat(let isArchive): try file.flatLayout(isArchive: isArchive, allowsEmpty: allowsEmpty)
        case .padded: try file.paddedLayout(allowsEmpty: allowsEmpty)
        case .requestDump: try file.requestLayout(layers)
        case .sequence: try file.sequenceLayout(allowsEmpty: allowsEmpty)
        case .memory: preconditionFailure("no file")
        }
    }
}

extension Safetensors {
    private static let statesTypes = ElementType.allCases.map(\.rawValue)

    /// `hidden_states` as it is stored, its last dimension the width.
    func states(dimensions: Int) throws(DataError) -> (tensor: Tensor, type: ElementType, width: Int) {
        if tensors["hidden_states"]?.type.hasSuffix("V2") == true {
            throw DataError(
                .elementType, file.path, "tensor hidden_states", expected: Self.statesTypes.formatted,
                found:
                    "2 bytes without a type (V2), as NumPy stores bfloat16; save it as float32, or in safetensors"
            )
        }
        let states = try require("hidden_states", types: Self.statesTypes, dimensions: dimensions)
        let width = states.shape[dimensions - 1]
        guard width > 0 else {
            throw DataError(
                .shape, file.path, "tensor hidden_states", expected: "a width of at least 1",
                found: "\(states.shape)")
        }
        return (states, ElementType(rawValue: states.type)!, width)
    }

    /// The tokens of `hidden_states`, all dimensions but the last taken together.
    func tokens(dimensions: Int) throws(DataError) -> TokenMatrix {
        let (states, type, width) = try states(dimensions: dimensions)
        return TokenMatrix(
            file: file, offset: states.bytes.lowerBound, elementType: type,
            rows: states.shape.dropLast().reduce(1, *), columns: width)
    }

    // Metadata, if any, say `format` attention-probes/activations and `version` 1; .npz has no place for them.
    fileprivate func flatLayout(isArchive: Bool, allowsEmpty: Bool) throws(DataError) -> ActivationForm.Layout
    {
        // A file that says nothing of its format is recognised by its tensors alone.
        if !isArchive, metadata["format"] != nil || metadata["version"] != nil {
            for (name, expected) in [("format", ActivationFile.fileFormat), ("version", "1")]
            where metadata[name] != expected {
                throw DataError(
                    .metadata, file.path, "metadata \(name)", expected: expected,
                    found: metadata[name] ?? "nothing")
            }
        }
        let matrix = try tokens(dimensions: 2)
        guard tensors["offsets"] != nil else {
            throw DataError(
                .missingTensor, file.path,
                expected:
                    "a tensor offsets (of pooled states, one vector a sequence: 0, 1, … \(matrix.rows))",
                found: tensorNames)
        }
        let offsets = integers(try require("offsets", types: Self.indexTypes, dimensions: 1))
        let mask = try optional("token_mask", types: Self.integerTypes, shape: [matrix.rows])
            .map { integers($0).map { $0 != 0 } }
        do {
            let batch = try RaggedBatch(
                tokens: matrix, offsets: offsets, tokenMask: mask, allowsEmpty: allowsEmpty)
            return ActivationForm.Layout(batch: batch, tokenShape: [matrix.rows])
        } catch {
            throw DataError(error, file.path)
        }
    }

    fileprivate func sequenceLayout(allowsEmpty: Bool) throws(DataError) -> ActivationForm.Layout {
        let matrix = try tokens(dimensions: 2)
        return ActivationForm.Layout(
            batch: try oneSequence(matrix, allowsEmpty: allowsEmpty), tokenShape: [matrix.rows],
            isOneSequence: true)
    }

    /// All rows as one sequence.
    func oneSequence(_ matrix: TokenMatrix, allowsEmpty: Bool = false) throws(DataError) -> RaggedBatch {
        do {
            return try RaggedBatch(tokens: matrix, offsets: [0, matrix.rows], allowsEmpty: allowsEmpty)
        } catch {
            throw DataError(error, file.path)
        }
    }
}
