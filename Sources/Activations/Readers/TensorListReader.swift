// A list of tensors in a file of PyTorch's, one a sequence: `hidden_states` with N tensors L×D, or D for one token, each
// where it lies in the file.
internal import Tensors

struct TensorListReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool { file.lists["hidden_states"] != nil }

    func form(of file: TensorFile) -> ActivationForm { ActivationForm(file.named("list of tensors")) }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        var matrices: [TokenMatrix] = []
        var offsets = [0]
        for (number, tensor) in file.lists["hidden_states"]!.enumerated() {
            let matrix = try file.tokens(tensor, number)
            if let first = matrices.first {
                guard matrix.columns == first.columns, matrix.elementType == first.elementType else {
                    throw DataError(
                        .shape, file.path, "tensor hidden_states[\(number)]",
                        expected: "\(first.elementType.rawValue) of width \(first.columns) as in the first",
                        found: "\(tensor.type) of width \(matrix.columns)")
                }
            }
            matrices.append(matrix)
            offsets.append(offsets[number] + matrix.rows)
        }
        let tokens = TokenMatrix(stacking: matrices)
        do {
            return ActivationLayout(
                batch: try RaggedBatch(tokens: tokens, offsets: offsets, allowsEmpty: allowsEmpty),
                tokenShape: [tokens.rows])
        } catch {
            throw DataError(error, file.path)
        }
    }
}

extension TensorFile {
    // One sequence, L×D, or D for a single token.
    fileprivate func tokens(_ tensor: Tensor, _ number: Int) throws(DataError) -> TokenMatrix {
        let name = "hidden_states[\(number)]"
        guard (1...2).contains(tensor.shape.count), let width = tensor.shape.last, width > 0 else {
            throw DataError(
                .shape, path, "tensor \(name)",
                expected:
                    "a sequence's tokens L×D (of a batch, N×S×D with attention_mask or seq_lens; of several "
                    + "layers, one)",
                found: "shape \(tensor.shape)")
        }
        let (stored, type) = try asStates(tensor, name)
        let rows = tensor.shape.count == 1 ? 1 : tensor.shape[0]
        return TokenMatrix(
            file: source(stored), offset: stored.bytes.lowerBound, elementType: type, rows: rows,
            columns: width, scales: try scales(ofList: "hidden_states", number, type, tokens: [rows]))
    }
}
