// The forms in which files hold the hidden states of sequences, told apart by what is in them:
//
//     flat           hidden_states T×D and offsets          sequences end to end (metadata `format`)
//     padded         hidden_states N×S×D and attention_mask N×S
//     flat layers    hidden_states T×layers×D and offsets
//     request dump   hidden_states tokens×layers×D and token_ids: one request of a vLLM server
//     one sequence   an array L×D alone in a .npy, .npz or .pt file
//     list           hidden_states, N tensors L×D in a .pt file
//     lengths        hidden_states N×S×D and seq_lens N
//     layers         layer_6, layer_10, … N×S×D and attention_mask, or T×D and offsets
//     pooled         hidden_states N×D and labels, groups or names of N sequences: each row is one
//     llama.cpp      F numbers and T token ids of one prompt
internal import Tensors

/// Reads the files of one form.
package protocol ActivationReader: Sendable {
    /// Whether a file is of the form.
    func recognises(_ file: TensorFile) -> Bool
    /// What the form is called, and what it is like.
    func form(of file: TensorFile) -> ActivationForm
    /// The numbers of the layers that a file holds, where it says them; nil where they are counted from 0.
    func layers(of file: TensorFile) -> [Int]?
    /// Finds the sequences of a file.
    ///
    /// - Parameters:
    ///   - layers: which layers to take where a file holds several; nil for the only one.
    ///   - allowsEmpty: whether sequences may be without a token to look at.
    /// - Throws: `DataError` where the file breaks a rule of the form.
    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout
}

extension ActivationReader {
    package func layers(of file: TensorFile) -> [Int]? { nil }
}

/// All forms, a line each. The first that recognises a file reads it; what none does is read as flat, whose errors
/// say what is missing.
package let activationReaders: [any ActivationReader] = [
    TensorListReader(),
    PooledReader(),
    OneSequenceReader(),
    LengthsReader(),
    PaddedReader(),
    FlatLayersReader(),
    RequestDumpReader(),
    LayersReader(),
    LlamaEmbeddingsReader(),
    FlatReader(),
]

extension ActivationFile {
    /// Opens a file of activations in any form. Hidden states stay where they are; the rest is read.
    ///
    /// - Parameter layers: which layers of a file that holds several, counted from 0 as they are
    ///   stored; several become one wider hidden state. A file of one layer ignores it.
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks a rule.
    public convenience init(path: String, layers: [Int]? = nil) throws {
        try self.init(TensorFile(InputFile.named(path)), layers: layers)
    }

    /// The same of a file that is open.
    ///
    /// - Parameter allowsEmpty: whether sequences may be without a token to look at, of which nothing is computed.
    package convenience init(
        _ file: TensorFile, layers: [Int]?, allowsEmpty: Bool = false,
        readers: [any ActivationReader] = activationReaders
    ) throws(DataError) {
        let reader = readers.first { $0.recognises(file) } ?? FlatReader()
        try self.init(
            file, reader.form(of: file), reader.open(file, layers: layers, allowsEmpty: allowsEmpty),
            layers: layers)
    }

    /// The numbers of the layers that an open file holds, of which a reader is to take some; those of others from 0 on.
    package static func layers(
        of file: TensorFile, count: Int = 1, readers: [any ActivationReader] = activationReaders
    ) -> [Int] {
        readers.first { $0.recognises(file) }?.layers(of: file) ?? Array(0..<count)
    }

    /// Whether an open file is one of activations, whole or broken.
    package static func recognises(_ file: TensorFile) -> Bool {
        activationReaders.contains { $0.recognises(file) }
    }
}

extension TensorFile {
    /// The name of a form, where it is not safetensors the kind of file, and whether numbers are rounded or have scales.
    func named(_ form: String) -> String {
        let states = tensors["hidden_states"] ?? lists["hidden_states"]?.first
        return (container == Safetensors.self ? form : "\(form) in \(container.ending)")
            + (states?.type == "F64" ? ", float64 rounded to float32" : "") + scalesNote()
    }

    /// The kind of file, where no more is known of it.
    package var kind: String {
        container == Safetensors.self ? "safetensors" : "tensors in \(container.ending)"
    }

    private static let statesTypes = ElementType.allCases.map(\.rawValue) + ["F64"]

    /// How many dimensions `hidden_states` has; nil where there are none.
    var statesDimensions: Int? { tensors["hidden_states"]?.shape.count }

    /// `hidden_states` as it is stored, its last dimension the width.
    func states(_ name: String = "hidden_states", dimensions: Int) throws(DataError)
        -> (tensor: Tensor, type: ElementType, width: Int)
    {
        guard let states = tensors[name] else {
            throw DataError(.missingTensor, path, expected: "a tensor \(name)", found: tensorNames)
        }
        let (stored, type) = try asStates(states, name)
        guard states.shape.count == dimensions else {
            throw DataError(
                .shape, path, "tensor \(name)", expected: "\(dimensions) dimensions",
                found: "shape \(states.shape)")
        }
        let width = states.shape[dimensions - 1]
        guard width > 0 else {
            throw DataError(
                .shape, path, "tensor \(name)", expected: "a width of at least 1",
                found: "\(states.shape)")
        }
        return (stored, type, width)
    }

    /// A tensor of hidden states in a type that they are read in: F64 becomes F32 when it is looked at.
    func asStates(_ tensor: Tensor, _ name: String) throws(DataError) -> (Tensor, ElementType) {
        if let type = ElementType(rawValue: tensor.type) { return (tensor, type) }
        guard tensor.type == "F64" else {
            throw DataError(
                .elementType, path, "tensor \(name)", expected: Self.statesTypes.formatted,
                found: tensor.type + (tensor.type.hasSuffix("V1") ? NumPyArray.wayFromV1 : ""))
        }
        return (rounded(tensor), .f32)
    }

    /// The tokens of `hidden_states`, all dimensions but the last taken together.
    func tokens(_ name: String = "hidden_states", dimensions: Int) throws(DataError) -> TokenMatrix {
        let (states, type, width) = try states(name, dimensions: dimensions)
        let tokens = Array(states.shape.dropLast())
        return TokenMatrix(
            file: source(states), offset: states.bytes.lowerBound, elementType: type,
            rows: tokens.reduce(1, *), columns: width, scales: try scales(of: name, type, tokens: tokens))
    }

    /// All rows as one sequence.
    func oneSequence(_ matrix: TokenMatrix, tokenMask: [Bool]? = nil, allowsEmpty: Bool = false)
        throws(DataError) -> RaggedBatch
    {
        do {
            return try RaggedBatch(
                tokens: matrix, offsets: [0, matrix.rows], tokenMask: tokenMask, allowsEmpty: allowsEmpty)
        } catch {
            throw DataError(error, file.path)
        }
    }
}
