// Padded activations: `hidden_states` N×S×D (floats of any width) and `attention_mask` N×S (whole
// numbers of any type), 1 for a token and 0 for padding, as tokenizers give it. The tokens of a row lie side by side, with
// padding on the left, the right or both sides. The mask alone says which they are, never zeros in the
// hidden states. Each row becomes a range of rows of the (N·S)×D matrix where it lies: padding ends here.
internal import Tensors

struct PaddedReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool {
        file.statesDimensions == 3
            && (file.container == NumPyArchive.self || file.tensors["attention_mask"] != nil)
    }

    func form(of file: TensorFile) -> ActivationForm { ActivationForm(file.named("padded activations")) }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        let shape = file.tensors["hidden_states"]!.shape
        let matrix = try file.tokens(dimensions: 3)
        return try file.padded(matrix, shape[0], shape[1], allowsEmpty: allowsEmpty)
    }
}

extension TensorFile {
    /// The tokens of N×S rows that `attention_mask` says are some.
    func padded(_ matrix: TokenMatrix, _ count: Int, _ length: Int, allowsEmpty: Bool) throws(DataError)
        -> ActivationLayout
    {
        let mask = integers(
            try require("attention_mask", types: TensorFile.integerTypes, shape: [count, length]))
        // Without columns any number of rows takes no bytes.
        guard length > 0 || count == 0 else {
            throw DataError(
                .emptySequence, path, "tensor attention_mask, row 0",
                expected: "at least one true token", found: "none")
        }
        var rows: [Range<Int>] = []
        rows.reserveCapacity(count)
        for row in 0..<count {
            rows.append(try trueTokens(mask, row * length..<(row + 1) * length, row, allowsEmpty))
        }
        try checkScales(of: matrix, rows, length: length)
        let tokenMask = try optional(
            "token_mask", types: TensorFile.integerTypes, shape: [count, length]
        )
        .map { integers($0) { $0 != 0 } }
        do {
            let batch = try RaggedBatch(
                tokens: matrix, rows: rows, tokenMask: tokenMask, allowsEmpty: allowsEmpty)
            return ActivationLayout(batch: batch, tokenShape: [count, length])
        } catch {
            throw DataError(error, path)
        }
    }

    // The elements of one row that are 1, which must lie side by side.
    private func trueTokens(
        _ mask: [Int], _ range: Range<Int>, _ row: Int, _ allowsEmpty: Bool
    ) throws(DataError) -> Range<Int> {
        func fault(_ position: Int?, _ expected: String, _ found: String) -> DataError {
            let place = position.map { ", position \($0)" } ?? ""
            return DataError(
                position == nil ? .emptySequence : .attentionMask, path,
                "tensor attention_mask, row \(row)\(place)", expected: expected, found: found)
        }
        if let bad = range.first(where: { mask[$0] != 0 && mask[$0] != 1 }) {
            throw fault(bad - range.lowerBound, "0 or 1", "\(mask[bad])")
        }
        guard let first = range.first(where: { mask[$0] == 1 }) else {
            if allowsEmpty { return range.lowerBound..<range.lowerBound }
            throw fault(
                nil, "at least one true token (--skip-empty leaves out what has none)", "none")
        }
        let end = (first..<range.upperBound).first { mask[$0] == 0 } ?? range.upperBound
        if let again = (end..<range.upperBound).first(where: { mask[$0] == 1 }) {
            throw fault(
                again - range.lowerBound, "tokens side by side",
                "a token behind a gap of \(again - end)")
        }
        return first..<end
    }
}
