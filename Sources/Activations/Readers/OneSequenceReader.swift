// An array L×D alone in a file of NumPy's or PyTorch's: one sequence, named by the file. Beside it there may be `token_ids`
// and a `token_mask`, which ModelOptimizer calls `input_ids` and `loss_mask`.
internal import Tensors

package struct OneSequenceReader: ActivationReader {
    private let isAsked: Bool

    /// - Parameter isAsked: whether any matrix without offsets is to be one sequence.
    package init(isAsked: Bool = false) { self.isAsked = isAsked }

    package func recognises(_ file: TensorFile) -> Bool {
        guard let dimensions = file.statesDimensions, file.tensors["offsets"] == nil else { return false }
        if isAsked, dimensions == 2 { return true }
        // Three dimensions in an archive are a rectangle whose mask may be missing.
        return file.container == NumPyArray.self || file.container != Safetensors.self && dimensions != 3
    }

    package func form(of file: TensorFile) -> ActivationForm {
        ActivationForm(file.named("one sequence"), isOneSequence: true)
    }

    package func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError)
        -> ActivationLayout
    {
        let matrix = try file.tokens(dimensions: 2)
        let mask = try file.optional("token_mask", types: TensorFile.integerTypes, shape: [matrix.rows])
            .map { file.integers($0) { $0 != 0 } }
        return ActivationLayout(
            batch: try file.oneSequence(matrix, tokenMask: mask, allowsEmpty: allowsEmpty),
            tokenShape: [matrix.rows])
    }
}
