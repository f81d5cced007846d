// Sequences end to end with several layers of each token: `hidden_states` T×layers×D and `offsets` N+1. Layers are counted
// from 0 as they are stored.
internal import Tensors

struct FlatLayersReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool {
        file.statesDimensions == 3 && file.tensors["offsets"] != nil
    }

    func form(of file: TensorFile) -> ActivationForm {
        ActivationForm(file.named("activations of several layers"), holdsSeveralLayers: true)
    }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        try file.checkFlatFormat()
        let (matrix, count) = try file.stackedLayers(layers)
        return try file.flat(matrix, allowsEmpty: allowsEmpty, layerCount: count)
    }
}

extension TensorFile {
    /// Some of the layers of `hidden_states` tokens×layers×D, side by side, and how many there are.
    ///
    /// - Parameter layers: which, counted from 0; nil for the only one.
    /// - Throws: `DataError` where there is no token or layer, one is asked for that is not there, or one has to be chosen.
    func stackedLayers(_ layers: [Int]?) throws(DataError) -> (matrix: TokenMatrix, count: Int) {
        let (states, type, width) = try states(dimensions: 3)
        let (rows, count) = (states.shape[0], states.shape[1])
        // The bytes that are there bound the numbers only where none is 0.
        guard rows > 0, count > 0 else {
            throw DataError(
                rows == 0 ? .truncated : .emptySequence, path, "tensor hidden_states",
                expected: "at least one token and one layer", found: "\(states.shape)")
        }
        guard let layers = layers ?? (count == 1 ? [0] : nil) else {
            throw DataError(
                .layers, path, "tensor hidden_states",
                expected: "one layer, or --layer 0 to \(count - 1) to choose one", found: "\(count) layers")
        }
        for layer in layers where !(0..<count).contains(layer) {
            throw DataError(
                .layers, path, "tensor hidden_states", expected: "layer \(layer)",
                found: "layers 0 to \(count - 1)")
        }
        let scales = try scales(of: "hidden_states", type, tokens: [rows])
        let pieces = layers.map { layer in
            TokenMatrix.Piece(
                source(states), offset: states.bytes.lowerBound + layer * width * type.size,
                stride: count * width * type.size, columns: width, scales: scales)
        }
        return (TokenMatrix(pieces: pieces, elementType: type, rows: rows), count)
    }
}
