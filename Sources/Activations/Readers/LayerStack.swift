// Several layers as one hidden state. Files that hold several layers (a server's dumps) were opened with
// those that were asked for. Files of one layer each say which in the metadata, `layer`: for every layer
// that was asked for there must be as many, in the same order and with the same sequences, and the k-th of
// each are put side by side, in place.
internal import Tensors

enum LayerStack {
    /// The files of the layers that were asked for, joined; others are left out.
    static func joined(_ files: [ActivationFile], _ layers: [Int]?) throws(DataError) -> [ActivationFile] {
        let single = files.filter { !$0.form.holdsSeveralLayers }
        let dumps = files.filter(\.form.holdsSeveralLayers)
        // A server's layer 1 of three is another than its layer 1 of two.
        for dump in dumps where dump.layerCount != dumps[0].layerCount {
            throw DataError(
                .layers, dump.path, "tensor hidden_states",
                expected: "as many layers as in \(dumps[0].path), \(dumps[0].layerCount)",
                found: "\(dump.layerCount)")
        }
        guard let layers else {
            try checkAreOfOneLayer(single)
            return files
        }
        guard let first = single.first else { return files }
        guard single.count == files.count else {
            throw DataError(
                .layers, first.path, expected: "files of several layers, as in the others",
                found: "\(first.form.name)")
        }
        // They may be side by side already, as `convert` writes them.
        if files.allSatisfy({ $0.layers?.numbers == layers }) { return files }
        var byLayer: [Int: [ActivationFile]] = [:]
        for file in files {
            guard let layer = file.metadata["layer"].flatMap({ Int($0) }) else {
                throw DataError(
                    .layers, file.path, "metadata layer",
                    expected: "the number of the layer that the file holds",
                    found: file.metadata["layer"] ?? "nothing")
            }
            byLayer[layer, default: []].append(file)
        }
        var chosen: [[ActivationFile]] = []
        for layer in layers {
            guard let files = byLayer[layer] else {
                let found = byLayer.keys.sorted().map(String.init).joined(separator: ", ")
                throw DataError(
                    .layers, first.path, expected: "a file of layer \(layer)", found: "layers \(found)")
            }
            guard chosen.isEmpty || files.count == chosen[0].count else {
                throw DataError(
                    .layers, files[0].path,
                    expected: "\(chosen[0].count) files of layer \(layer), as of layer \(layers[0])",
                    found: "\(files.count)")
            }
            chosen.append(files)
        }
        var result: [ActivationFile] = []
        for k in chosen[0].indices { result.append(try beside(chosen.map { $0[k] })) }
        return result
    }

    // Where no layer was asked for, files of several are not taken for more sequences.
    private static func checkAreOfOneLayer(_ files: [ActivationFile]) throws(DataError) {
        let named = files.filter { $0.metadata["layer"] != nil }
        guard let first = named.first, let layer = first.metadata["layer"],
            let other = named.first(where: { $0.metadata["layer"] != layer })
        else { return }
        throw DataError(
            .layers, other.path, "metadata layer",
            expected: "\(layer) as in \(first.path), or --layer or --layers to choose",
            found: other.metadata["layer"] ?? "nothing")
    }

    // The first sequence that two files with labels label differently: by name where both have names of classes.
    private static func firstOtherLabel(_ one: ActivationFile, _ other: ActivationFile) -> Int? {
        guard let own = one.targets, let others = other.targets else { return nil }
        if case (.classes(let numbers), .classes(let otherNumbers)) = (own, others),
            let names = one.classes, let otherNames = other.classes, names.count > 1, otherNames.count > 1
        {
            return numbers.indices.first { names[numbers[$0]] != otherNames[otherNumbers[$0]] }
        }
        return (0..<own.count).first { own[$0] != others[$0] }
    }

    private static func beside(_ files: [ActivationFile]) throws(DataError) -> ActivationFile {
        let first = files[0]
        for file in files.dropFirst() {
            guard file.layers?.areAsStored == first.layers?.areAsStored else {
                throw DataError(
                    .layers, file.path, "metadata layer_order",
                    expected: "layers that are counted as in \(first.path), \(first.layers!)",
                    found: "\(file.layers!)\(file.layers!.areAsStored ? "" : " of the model")")
            }
            let layer = "layer \(file.metadata["layer"]!)"
            guard file.batch.count == first.batch.count else {
                throw DataError(
                    .layers, file.path, layer, expected: "\(first.batch.count) sequences as in \(first.path)",
                    found: "\(file.batch.count)")
            }
            for index in 0..<first.batch.count where file.batch.rows(index) != first.batch.rows(index) {
                let (expected, found) = (first.batch.rows(index), file.batch.rows(index))
                throw DataError(
                    .layers, file.path, "\(layer), sequence \(index)",
                    expected: "length \(expected.count) as in \(first.path)",
                    found: expected.count == found.count
                        ? "as many with other padding before" : "\(found.count)")
            }
            if let index = (0..<first.batch.count).first(where: {
                file.id($0)?.idBytes != first.id($0)?.idBytes
            }) {
                throw DataError(
                    .layers, file.path, "sequence \(index)",
                    expected: "the id of \(first.path), \(first.id(index) ?? "none")",
                    found: file.id(index) ?? "none")
            }
            if let index = firstOtherLabel(first, file) {
                throw DataError(
                    .labels, file.path, "\(layer), sequence \(index)",
                    expected: "labels as in \(first.path)", found: "others")
            }
        }
        guard let tokens = TokenMatrix(beside: files.map(\.batch.tokens)) else {
            let type = first.batch.tokens.elementType
            let other = files.first { $0.batch.tokens.elementType != type } ?? first
            throw DataError(
                .layers, other.path, "tensor hidden_states", expected: "\(type.rawValue) as in \(first.path)",
                found: other.batch.tokens.elementType.rawValue)
        }
        let layers = LayerRecord(
            files.flatMap { $0.layers!.numbers }, areAsStored: first.layers!.areAsStored)
        return ActivationFile(
            first, tokens: tokens, layers: layers, parts: files.flatMap(\.parts))
    }
}
