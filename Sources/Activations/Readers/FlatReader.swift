// Sequences end to end: `hidden_states` T×D and `offsets` N+1. Metadata, if any, say `format`
// attention-probes/activations and `version` 1; .npz has no place for them.
internal import Tensors

struct FlatReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool {
        file.metadata["format"] == ActivationFile.fileFormat || file.statesDimensions != nil
    }

    func form(of file: TensorFile) -> ActivationForm { ActivationForm(file.named("activations")) }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        guard file.statesDimensions != 3 || file.metadata["format"] == ActivationFile.fileFormat else {
            throw DataError(
                .missingTensor, file.path,
                expected:
                    "beside hidden_states of three dimensions attention_mask or seq_lens (padded), offsets (layers), or token_ids "
                    + "(vLLM)",
                found: file.tensorNames)
        }
        try file.checkFlatFormat()
        let matrix = try file.tokens(dimensions: 2)
        guard file.tensors["offsets"] != nil else {
            throw DataError(
                .missingTensor, file.path,
                expected:
                    "a tensor offsets, or --pooled where each of the \(matrix.rows) rows is a sequence (offsets 0, 1, … "
                    + "\(matrix.rows)), or --sequence where all are one",
                found: file.tensorNames)
        }
        return try file.flat(matrix, allowsEmpty: allowsEmpty)
    }
}

extension TensorFile {
    // A file that says nothing of its format is recognised by its tensors alone.
    func checkFlatFormat() throws(DataError) {
        guard metadata["format"] != nil || metadata["version"] != nil else { return }
        for (name, expected) in [("format", ActivationFile.fileFormat), ("version", "1")]
        where metadata[name] != expected {
            throw DataError(
                .metadata, path, "metadata \(name)", expected: expected, found: metadata[name] ?? "nothing")
        }
    }

    /// The tokens of rows that `offsets` divide, and `token_mask` hides some of.
    func flat(
        _ matrix: TokenMatrix, allowsEmpty: Bool, layerCount: Int = 1
    ) throws(DataError) -> ActivationLayout {
        let offsets = integers(try require("offsets", types: Self.indexTypes, dimensions: 1))
        let mask = try optional("token_mask", types: Self.integerTypes, shape: [matrix.rows])
            .map { integers($0) { $0 != 0 } }
        do {
            let batch = try RaggedBatch(
                tokens: matrix, offsets: offsets, tokenMask: mask, allowsEmpty: allowsEmpty)
            return ActivationLayout(batch: batch, tokenShape: [matrix.rows], layerCount: layerCount)
        } catch {
            throw DataError(error, path)
        }
    }
}
