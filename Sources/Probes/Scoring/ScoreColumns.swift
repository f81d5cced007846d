import Activations

/// What one probe puts into a row.
struct ScoreColumns: Sendable {
    let name: String
    let probe: Probe

    func addJSON(_ logits: ArraySlice<Float>, to text: inout RowText) {
        let probabilities = probe.probabilities(logits)
        text.write("\"logits\":")
        text.writeList(logits) { $0.write(to: &$1) }
        text.write(",\"probabilities\":")
        text.writeList(probabilities) { $0.write(to: &$1) }
        text.write(",\"label\":")
        guard let names = probe.task.classes else { return text.write("null") }
        let predicted = classes(probabilities)
        if isMultilabel {
            text.writeList(predicted) { $1.writeJSON(names[$0]) }
        } else {
            text.writeJSON(names[predicted[0]])
        }
    }

    func csvNames(prefix: String) -> [String] {
        let task = probe.task
        let names =
            task.outputs == 1 ? [""] : (task.classes ?? (0..<task.outputs).map(String.init)).map { "_" + $0 }
        var columns = names.map { prefix + "logit" + $0 }
        if task.classes != nil { columns += names.map { prefix + "probability" + $0 } + [prefix + "label"] }
        return columns
    }

    // Each field behind a comma.
    func addCSV(_ logits: ArraySlice<Float>, to text: inout RowText) {
        let probabilities = probe.probabilities(logits)
        for values in [logits, probabilities[...]] {
            for value in values {
                text.write(",")
                value.write(to: &text)
            }
        }
        guard let names = probe.task.classes else { return }
        text.write(",")
        text.writeCSV(classes(probabilities).map { names[$0] }.joined(separator: ";"))
    }

    func add(_ logits: [Float], count: Int, to writer: inout SafetensorsWriter, prefix: String) {
        let outputs = probe.task.outputs
        writer.add(prefix + "logits", logits, shape: [count, outputs])
        guard probe.task.classes != nil else { return }
        let rows = (0..<count).map { Array(logits[$0 * outputs..<($0 + 1) * outputs]) }
            .map { probe.probabilities($0) }
        writer.add(prefix + "probabilities", Array(rows.joined()), shape: [count, outputs])
        let predictions = rows.map(classes)
        let labels =
            isMultilabel
            ? predictions.flatMap { classes in (0..<outputs).map { classes.contains($0) ? 1 : 0 } }
            : predictions.map { $0[0] }
        writer.add(prefix + "labels", labels, shape: isMultilabel ? [count, outputs] : [count])
    }

    private func classes(_ probabilities: [Float]) -> [Int] {
        probe.task.predictedClasses(probabilities, threshold: probe.threshold)
    }

    private var isMultilabel: Bool {
        if case .multilabel = probe.task { return true }
        return false
    }
}
