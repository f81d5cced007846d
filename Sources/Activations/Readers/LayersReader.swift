// Layers in tensors of their own, called `layer_6`, `layer_10` and so on by the model's numbers, all of one shape: 1×S×D or
// N×S×D with `attention_mask`, as lmprobe keeps a prompt in a file, or T×D with `offsets`, as probelab's folders hold them.
internal import Tensors

struct LayersReader: ActivationReader {
    private static let start = "layer_"

    func recognises(_ file: TensorFile) -> Bool {
        file.tensors["hidden_states"] == nil && !numbers(file).isEmpty
            && (file.tensors["attention_mask"] != nil || file.tensors["offsets"] != nil)
    }

    func form(of file: TensorFile) -> ActivationForm {
        let shape = numbers(file).first.flatMap { file.tensors[Self.start + String($0)]?.shape } ?? []
        return ActivationForm(
            file.named("layers in tensors of their own"), isOneSequence: shape.count == 3 && shape[0] == 1,
            holdsSeveralLayers: true)
    }

    func layers(of file: TensorFile) -> [Int]? { numbers(file) }

    private func numbers(_ file: TensorFile) -> [Int] {
        file.tensors.names.compactMap { $0.hasPrefix(Self.start) ? Int($0.dropFirst(Self.start.count)) : nil }
            .sorted()
    }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        let numbers = numbers(file)
        let list = numbers.map(String.init)
        guard let chosen = layers ?? (numbers.count == 1 ? numbers : nil) else {
            throw DataError(
                .layers, file.path, expected: "one layer, or --layer to choose \(list.formatted)",
                found: "\(numbers.count) layers")
        }
        let isFlat = file.tensors["attention_mask"] == nil
        let dimensions = isFlat ? 2 : 3
        var shape: [Int] = []
        var matrices: [TokenMatrix] = []
        for layer in chosen {
            guard numbers.contains(layer) else {
                throw DataError(
                    .layers, file.path, expected: "layer \(layer)",
                    found: "layers \(list.joined(separator: ", "))")
            }
            let name = Self.start + String(layer)
            matrices.append(try file.tokens(name, dimensions: dimensions))
            let own = file.tensors[name]!.shape
            guard shape.isEmpty || own == shape else {
                throw DataError(
                    .shape, file.path, "tensor \(name)", expected: "shape \(shape) as of the others",
                    found: "shape \(own)")
            }
            shape = own
        }
        guard let tokens = TokenMatrix(beside: matrices) else {
            throw DataError(
                .elementType, file.path, expected: "layers of one type", found: "layers of several")
        }
        let layout =
            try isFlat
            ? file.flat(tokens, allowsEmpty: allowsEmpty)
            : file.padded(tokens, shape[0], shape[1], allowsEmpty: allowsEmpty)
        return ActivationLayout(
            batch: layout.batch, tokenShape: layout.tokenShape, layerCount: numbers.count,
            layers: LayerRecord(chosen, areAsStored: false))
    }
}
