// Padded activations with their lengths: `hidden_states` N×S×D and `seq_lens` N, of which each says how many tokens from the
// first on a row has; what follows them is padding.
internal import Tensors

struct LengthsReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool {
        file.statesDimensions == 3 && file.tensors["seq_lens"] != nil && file.tensors["attention_mask"] == nil
    }

    func form(of file: TensorFile) -> ActivationForm {
        ActivationForm(file.named("padded activations with lengths"))
    }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        let matrix = try file.tokens(dimensions: 3)
        let shape = file.tensors["hidden_states"]!.shape
        let (count, length) = (shape[0], shape[1])
        let lengths = file.integers(
            try file.require("seq_lens", types: TensorFile.integerTypes, shape: [count]))
        if let bad = lengths.firstIndex(where: { !(0...length).contains($0) }) {
            throw DataError(
                .offsets, file.path, "tensor seq_lens, element \(bad)",
                expected: "a length from 0 to \(length)",
                found: "\(lengths[bad])")
        }
        let rows = lengths.enumerated().map { $0 * length..<$0 * length + $1 }
        try file.checkScales(of: matrix, rows, length: length)
        let tokenMask = try file.optional(
            "token_mask", types: TensorFile.integerTypes, shape: [count, length]
        )
        .map { file.integers($0) { $0 != 0 } }
        do {
            let batch = try RaggedBatch(
                tokens: matrix, rows: rows, tokenMask: tokenMask, allowsEmpty: allowsEmpty)
            return ActivationLayout(batch: batch, tokenShape: [count, length])
        } catch {
            throw DataError(error, file.path)
        }
    }
}
