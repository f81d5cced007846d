// The forms in which files hold the hidden states of sequences, told apart by what is in them:
//
//     flat           hidden_states T×D and offsets          sequences end to end (metadata `format`)
//     padded         hidden_states N×S×D and attention_mask N×S
//     request dump   hidden_states tokens×layers×D and token_ids: one request of a vLLM server
//     one sequence   an array L×D alone in a .npy or .npz file
internal import Tensors

/// Reads the files of one form.
package protocol ActivationReader: Sendable {
    /// Whether a file is of the form.
    func recognises(_ file: TensorFile) -> Bool
    /// What the form is called, and what it is like.
    func form(of file: TensorFile) -> ActivationForm
    /// Finds the sequences of a file.
    ///
    /// - Parameters:
    ///   - layers: which layers to take where a file holds several; nil for the only one.
    ///   - allowsEmpty: whether sequences may be without a token to look at.
    /// - Throws: `DataError` where the file breaks a rule of the form.
    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout
}

/// All forms, a line each. The first that recognises a file reads it; what none does is read as flat, whose errors
/// say what is missing.
package let activationReaders: [any ActivationReader] = [
    OneSequenceReader(),
    PaddedReader(),
    RequestDumpReader(),
    FlatReader(),
]

extension ActivationFile {
    /// Opens a file of activations in any form. Hidden states stay where they are; the rest is read.
    ///
    /// - Parameter layers: which layers of a file that holds several, counted from 0 as they are
    ///   stored; several become one wider hidden state. A file of one layer ignores it.
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks a rule.
    public convenience init(path: String, layers: [Int]? = nil) throws {
        try self.init(TensorFile(path: path), layers: layers)
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

    /// Whether an open file is one of activations, whole or broken.
    package static func recognises(_ file: TensorFile) -> Bool {
        activationReaders.contains { $0.recognises(file) }
    }
}

extension TensorFile {
    /// The name of a form, and where it is not safetensors the kind of file.
    func named(_ form: String) -> String {
        container == Safetensors.self ? form : "\(form) in \(container.ending)"
    }

    private static let statesTypes = ElementType.allCases.map(\.rawValue)

    /// How many dimensions `hidden_states` has; nil where there are none.
    var statesDimensions: Int? { tensors["hidden_states"]?.shape.count }

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

    /// All rows as one sequence.
    func oneSequence(_ matrix: TokenMatrix, allowsEmpty: Bool = false) throws(DataError) -> RaggedBatch {
        do {
            return try RaggedBatch(tokens: matrix, offsets: [0, matrix.rows], allowsEmpty: allowsEmpty)
        } catch {
            throw DataError(error, file.path)
        }
    }
}
