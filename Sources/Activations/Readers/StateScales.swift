// States in eight bits (F8_E4M3, F8_E5M2) may have a scale a token, F32, in a tensor called as they are with `_scales` behind
// it: a state is the number times its token's scale, rounded to float32. vLLM's hs-connectors write `hidden_states_scales`
// T×1×1, or T×1, for all layers of a token together. Without scales they are 1.
internal import Tensors

extension TensorFile {
    private static let ending = "_scales"

    /// The scales of a tensor of states, one for each of its tokens in their order; nil where there are none. O(tokens).
    ///
    /// - Parameters:
    ///   - name: the tensor of states.
    ///   - tokens: its shape without layers and width.
    /// - Throws: `DataError` where they have another type or shape, stand beside states of more than eight bits, or one is
    ///   no number above 0 with which all numbers of the type stay finite.
    func scales(of name: String, _ type: ElementType, tokens: [Int]) throws(DataError) -> [Float]? {
        if let list = lists[name + Self.ending] {
            throw fault(.shape, name + Self.ending, "one tensor, as \(name) is", "a list of \(list.count)")
        }
        guard let tensor = tensors[name + Self.ending] else { return nil }
        return try scales(tensor, name + Self.ending, type, tokens: tokens)
    }

    /// The same of the tensor with a number in a list.
    func scales(ofList name: String, _ number: Int, _ type: ElementType, tokens: [Int]) throws(DataError)
        -> [Float]?
    {
        let wanted = "a list of \(lists[name]?.count ?? 0), as \(name) is"
        if let tensor = tensors[name + Self.ending] {
            throw fault(.shape, name + Self.ending, wanted, "one of shape \(tensor.shape)")
        }
        guard let list = lists[name + Self.ending] else { return nil }
        guard list.count == lists[name]?.count else {
            throw fault(.shape, name + Self.ending, wanted, "a list of \(list.count)")
        }
        return try scales(list[number], "\(name + Self.ending)[\(number)]", type, tokens: tokens)
    }

    private func scales(_ tensor: Tensor, _ name: String, _ type: ElementType, tokens: [Int])
        throws(DataError) -> [Float]
    {
        guard type.mayHaveScales else {
            throw fault(.elementType, name, "it beside states of F8_E4M3 or F8_E5M2 only", type.rawValue)
        }
        guard tensor.type == ElementType.f32.rawValue else {
            throw fault(.elementType, name, "F32", tensor.type)
        }
        guard tensor.shape.starts(with: tokens), tensor.shape[tokens.count...].allSatisfy({ $0 == 1 }) else {
            throw fault(
                .shape, name, "shape \(tokens), a scale a token, or the same with ones behind",
                "shape \(tensor.shape)")
        }
        let scales = floats(tensor)
        // Which rows of a rectangle are tokens is not known here; see `checkScales`.
        if tokens.count == 1, let bad = scales.firstIndex(where: { !type.allows(scale: $0) }) {
            throw fault(.metadata, name, type.wantedScale, "\(scales[bad]) of token \(bad)")
        }
        return scales
    }

    /// Checks the scales of the tokens of N×S rows; those of padding count for nothing.
    ///
    /// - Throws: `DataError` for the first that is no scale.
    func checkScales(of matrix: TokenMatrix, _ sequences: [Range<Int>], length: Int) throws(DataError) {
        let type = matrix.elementType
        guard type.mayHaveScales else { return }
        for (row, range) in sequences.enumerated() where !range.isEmpty {
            let scales = matrix.scales(range)
            guard let bad = scales.firstIndex(where: { !type.allows(scale: $0) }) else { continue }
            let position = range.lowerBound % length + bad % range.count
            throw DataError(
                .metadata, path, "scales of hidden states, row \(row), position \(position)",
                expected: type.wantedScale, found: "\(scales[bad])")
        }
    }

    private func fault(_ rule: DataError.Rule, _ name: String, _ expected: String, _ found: String)
        -> DataError
    {
        DataError(rule, path, "tensor \(name)", expected: expected, found: found)
    }

    /// What a form says of the scales of its states; nothing where these have more than eight bits.
    func scalesNote(_ name: String = "hidden_states") -> String {
        guard let states = tensors[name] ?? lists[name]?.first,
            ElementType(rawValue: states.type)?.mayHaveScales == true
        else { return "" }
        let hasScales = tensors[name + Self.ending] != nil || lists[name + Self.ending] != nil
        return hasScales ? ", FP8 with a scale a token" : ", FP8 without scales"
    }
}
