// Pooled states, one vector a sequence: `hidden_states` N×D without `offsets`, beside which `labels`, `groups`, `weights` or
// names of N sequences stand. A matrix alone may as well be the tokens of one sequence, and is taken for pooled states only
// where that is asked for.
internal import Tensors

package struct PooledReader: ActivationReader {
    private let isAsked: Bool

    /// - Parameter isAsked: whether a matrix alone is to be pooled states.
    package init(isAsked: Bool = false) { self.isAsked = isAsked }

    package func recognises(_ file: TensorFile) -> Bool {
        guard file.statesDimensions == 2, file.tensors["offsets"] == nil,
            isAsked || file.metadata["format"] == nil, let rows = file.tensors["hidden_states"]?.shape[0]
        else { return false }
        guard !isAsked else { return true }
        let names = ["labels", "groups", "weights"].filter { file.tensors[$0]?.shape.first == rows }
        let hasIDs = file.tensors["sequence_ids_offsets"]?.shape == [rows + 1]
        return rows > 1 && (!names.isEmpty || hasIDs)
    }

    package func form(of file: TensorFile) -> ActivationForm {
        ActivationForm(file.named("pooled states"), isPooled: true)
    }

    package func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError)
        -> ActivationLayout
    {
        let matrix = try file.tokens(dimensions: 2)
        do {
            return ActivationLayout(
                batch: try RaggedBatch(tokens: matrix, offsets: Array(0...matrix.rows)),
                tokenShape: [matrix.rows])
        } catch {
            throw DataError(error, file.path)
        }
    }
}
