// Embeddings of one prompt that llama.cpp has written (`LlamaEmbeddings`): F numbers and T token ids. They are a vector a
// token where the model pools nothing, T×F/T, and one vector of all F where it does; where both can be, which of them it is
// has to be asked.
internal import Tensors

package struct LlamaEmbeddingsReader: ActivationReader {
    static let embeddings = "embeddings"
    static let tokens = "tokens"

    // What the numbers are said to be; nil where nobody has said it.
    private let isPooled: Bool?

    /// - Parameter isPooled: whether the numbers are one vector (true) or one a token (false); nil for what the file says.
    package init(isPooled: Bool? = nil) { self.isPooled = isPooled }

    package func recognises(_ file: TensorFile) -> Bool { file.container == LlamaEmbeddings.self }

    // Whether it is one vector; nil where it may be either.
    private func isPooled(_ file: TensorFile) -> Bool? {
        guard let numbers = file.tensors[Self.embeddings]?.shape[0],
            let tokens = file.tensors[Self.tokens]?.shape[0]
        else { return nil }
        if numbers % tokens != 0 { return true }
        return tokens == 1 ? false : isPooled
    }

    package func form(of file: TensorFile) -> ActivationForm {
        let isPooled = isPooled(file) ?? false
        return ActivationForm(
            isPooled ? "llama.cpp's pooled embedding of one prompt" : "llama.cpp's embeddings of one prompt",
            isOneSequence: true, isPooled: isPooled)
    }

    package func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError)
        -> ActivationLayout
    {
        let numbers = try file.require(Self.embeddings, types: ["F32"], dimensions: 1)
        let tokens = try file.require(Self.tokens, types: ["I32"], dimensions: 1).shape[0]
        let count = numbers.shape[0]
        guard let isPooled = isPooled(file) else {
            throw DataError(
                .shape, file.path,
                expected:
                    "--sequence where its numbers are \(count / tokens) for each of the \(tokens) tokens, "
                    + "or --pooled where they are one vector of \(count)",
                found: "neither")
        }
        if isPooled, self.isPooled == false {
            throw DataError(
                .shape, file.path, expected: "as many numbers for each of the \(tokens) tokens",
                found: "\(count) numbers, which are one vector (without --sequence)")
        }
        let rows = isPooled ? 1 : tokens
        let matrix = TokenMatrix(
            file: file.source(numbers), offset: numbers.bytes.lowerBound, elementType: .f32, rows: rows,
            columns: count / rows)
        return ActivationLayout(
            batch: try file.oneSequence(matrix, allowsEmpty: allowsEmpty), tokenShape: [rows],
            tokenIDs: isPooled ? nil : Self.tokens)
    }
}
