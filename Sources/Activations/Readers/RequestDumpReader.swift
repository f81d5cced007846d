// The hidden states that a vLLM server writes (its ExampleHiddenStatesConnector): for every request a file
// `REQUEST.safetensors` with `hidden_states` tokens×layers×D and `token_ids` (tokens), and beside states in FP8
// `hidden_states_scales` (tokens, `StateScales`). Layers are in the
// order in which the server was asked for them; files do not say which of the model's they are.
//
// While a request is under way the server holds a lock (`flock`) on `REQUEST.safetensors.lock` beside it,
// older ones none. A locked file, and in such a folder one that is cut short, is not there yet; so is one with no
// token, or with states of fewer tokens than it has ids.
internal import Tensors

struct RequestDumpReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool {
        file.container == Safetensors.self && file.statesDimensions == 3 && file.tensors["token_ids"] != nil
            && file.tensors["offsets"] == nil
    }

    func form(of file: TensorFile) -> ActivationForm {
        ActivationForm(
            file.named("vLLM hidden states of one request"), isOneSequence: true, holdsSeveralLayers: true,
            mayBeUnfinished: true)
    }

    /// Whether a file is a request without tokens, or with states of fewer or more tokens than it has ids, as where a
    /// server found the beginning in its cache of prefixes.
    func isPartial(_ file: TensorFile) -> Bool {
        guard recognises(file), let states = file.tensors["hidden_states"]?.shape.first else { return false }
        return states == 0 || file.tensors["token_ids"]!.shape != [states]
    }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        let rows = try file.states(dimensions: 3).tensor.shape[0]
        let ids = try file.require("token_ids", types: TensorFile.indexTypes, dimensions: 1).shape[0]
        let (matrix, count) = try file.stackedLayers(layers)
        guard rows >= ids else {
            throw DataError(
                .truncated, file.path, "tensor token_ids",
                expected: "shape [\(rows)] as hidden_states has tokens",
                found: "shape [\(ids)]: states are cut short")
        }
        _ = try file.require("token_ids", types: TensorFile.indexTypes, shape: [rows])
        return ActivationLayout(
            batch: try file.oneSequence(matrix), tokenShape: [rows], layerCount: count)
    }
}
