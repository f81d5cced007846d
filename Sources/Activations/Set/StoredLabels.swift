// What a file says of its sequences beside their tokens: `labels`, how much each counts, and the names of classes.
internal import Tensors

extension TensorFile {
    func weights(count: Int) throws(DataError) -> [Float]? {
        guard let tensor = try optional("weights", types: ["F32", "F64"], shape: [count]) else { return nil }
        let weights = floats(tensor)
        if let bad = weights.firstIndex(where: { !($0 > 0 && $0.isFinite) }) {
            throw DataError(
                .labels, file.path, "tensor weights, element \(bad)",
                expected: "a positive number that float32 holds, from 1e-38 to 3e38 (only proportions count)",
                found: tensor.type == "F64" ? "\(doubles(tensor)[bad])" : "\(weights[bad])")
        }
        return weights
    }

    func classes() throws(DataError) -> [String]? {
        guard let text = metadata["classes"] else { return nil }
        guard let classes = JSONList.decode(text), !classes.isEmpty, Set(classes).count == classes.count
        else {
            throw DataError(
                .metadata, file.path, "metadata classes", expected: "a JSON list of different names",
                found: text)
        }
        return classes
    }

    // Labels, groups or weights of as many sequences as there are rows: pooled states, of which each row is one.
    func checkIsOneSequence(_ rows: Int) throws(DataError) {
        guard rows > 1,
            let name = ["labels", "groups", "weights"].first(where: { tensors[$0]?.shape.first == rows })
        else { return }
        throw DataError(
            .shape, file.path, "tensor \(name)",
            expected:
                "one row for the one sequence that hidden_states without offsets is (--pooled where each row is a "
                + "sequence)",
            found: "shape \(tensors[name]!.shape)")
    }

    // One whole number a sequence, of shape N or N×1, is a class: its index where there are names of classes, else its
    // value. All else is values: N×O, or floats of shape N; of two classes with names floats may be probabilities.
    func targets(count: Int, classes: [String]?) throws(DataError) -> Targets? {
        guard let labels = tensors["labels"] else { return nil }
        let isVector = labels.shape.count == 1
        _ = try require(
            "labels", types: Self.integerTypes + ["F64", "F32", "F16", "BF16"],
            dimensions: isVector ? 1 : 2)
        guard labels.shape[0] == count else {
            // One matrix is the tokens of one sequence, unless there is a label a row.
            let rows = count == 1 ? tensors["hidden_states"]?.shape[0] ?? 1 : 1
            let pooled = rows > 1 ? ", or \(rows), one a row of pooled states" : ""
            throw DataError(
                .shape, file.path, "tensor labels",
                expected: "\(count) row\(count == 1 ? "" : "s"), one a sequence\(pooled)",
                found: "shape \(labels.shape)")
        }
        func fault(_ element: Int, _ expected: String, _ found: String) -> DataError {
            DataError(
                .labels, file.path, "tensor labels, element \(element)", expected: expected, found: found)
        }
        let columns = isVector ? 1 : labels.shape[1]
        let areWhole = Self.integerTypes.contains(labels.type)
        if isVector, areWhole, let classes, classes.count < 2 {
            throw DataError(
                .metadata, file.path, "metadata classes", expected: "at least two names", found: "\(classes)")
        }
        // With the name of one class a column says which sequences have it.
        if columns == 1, areWhole, classes?.count != 1 {
            let numbers = integers(labels)
            if let classes, let bad = numbers.firstIndex(where: { !classes.indices.contains($0) }) {
                throw fault(bad, "a class from 0 to \(classes.count - 1)", "\(numbers[bad])")
            }
            return .classes(numbers)
        }
        let values = floats(labels)
        if let bad = values.firstIndex(where: { !$0.isFinite }) {
            throw fault(bad, "a finite number", "\(values[bad])")
        }
        if columns == 1, let classes, classes.count > 1 {
            // Of two classes, floats between are the probability of the second.
            let areSoft = classes.count == 2 && values.contains { $0 > 0 && $0 < 1 }
            if areSoft {
                guard let bad = values.firstIndex(where: { !(0...1).contains($0) }) else {
                    return .probabilities(values)
                }
                throw fault(bad, "a probability from 0 to 1", "\(values[bad])")
            }
            let numbers = values.map { Int(exactly: $0) ?? -1 }
            guard let bad = numbers.firstIndex(where: { !classes.indices.contains($0) }) else {
                return .classes(numbers)
            }
            throw fault(bad, "a class from 0 to \(classes.count - 1)", "\(values[bad])")
        }
        guard columns > 0 else {
            throw DataError(
                .shape, file.path, "tensor labels", expected: "at least one column", found: "\(labels.shape)")
        }
        if let classes, classes.count != columns {
            throw DataError(
                .shape, file.path, "tensor labels",
                expected: "one column for each of \(classes.count) classes",
                found: "\(columns)")
        }
        return .values(Matrix(rows: count, columns: columns, storage: values))
    }
}
