// Scores as files: one row a sequence, in the order of the data.
//
//     jsonl         {"id": …, "logits": […], "probabilities": […], "label": …} a line
//     csv           id,logit,probability,label, or logit_NAME, … a class; quoted as in RFC 4180
//     safetensors   logits and probabilities (F32, N×O), labels (I64: N class indices, or N×O of 0
//                   and 1 for multilabel), sequence_ids and sequence_ids_offsets
//
// `label` is the predicted class, a list of classes for multilabel, null for regression, which has
// no probabilities either.
private import Foundation

/// Formats of scores.
public enum ScoreFormat: String, Sendable, CaseIterable {
    /// One JSON object a line.
    case jsonl
    /// Comma-separated values with a header.
    case csv
    /// Tensors.
    case safetensors
}

/// Turns scores into the bytes of a file, chunk by chunk.
public struct ScoreWriter {
    private let format: ScoreFormat
    private let probe: Probe
    private let data: ActivationSet
    // Safetensors states sizes before content, so its columns wait for the end.
    private var logits: [Float] = []
    private var probabilities: [Float] = []
    private var labels: [Int] = []
    private var ids: [UInt8] = []
    private var idOffsets = [0]

    /// A writer for a probe's scores of a set.
    public init(_ format: ScoreFormat, _ probe: Probe, _ data: ActivationSet) {
        self.format = format
        self.probe = probe
        self.data = data
    }

    /// What comes before the rows.
    public var head: [UInt8] {
        guard format == .csv else { return [] }
        let task = probe.task
        let names =
            task.outputs == 1 ? [""] : (task.classes ?? (0..<task.outputs).map(String.init)).map { "_" + $0 }
        var columns = ["id"] + names.map { "logit" + $0 }
        if task.classes != nil { columns += names.map { "probability" + $0 } + ["label"] }
        return Array((columns.map(csvField).joined(separator: ",") + "\r\n").utf8)
    }

    /// The rows of the next scores.
    public mutating func rows(_ scores: Scores) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for (offset, index) in scores.range.enumerated() {
            let logits = Array(scores.logits[row: offset])
            let probabilities = probe.task.probabilities(logits)
            let classes = probe.task.predictedClasses(probabilities, threshold: probe.threshold)
            switch format {
            case .jsonl: bytes += try jsonRow(data.id(index), logits, probabilities, classes)
            case .csv: bytes += csvRow(data.id(index), logits, probabilities, classes)
            case .safetensors: collect(data.id(index), logits, probabilities, classes)
            }
        }
        return bytes
    }

    /// What comes after the rows.
    public func tail() throws -> [UInt8] {
        guard format == .safetensors else { return [] }
        let (count, outputs) = (idOffsets.count - 1, probe.task.outputs)
        var metadata = ["format": "attention-probes/scores", "version": "1", "task": probe.task.name]
        if let classes = probe.task.classes { metadata["classes"] = try JSONList.encode(classes) }
        var writer = SafetensorsWriter(metadata: metadata)
        writer.add("logits", logits, shape: [count, outputs])
        if probe.task.classes != nil {
            writer.add("probabilities", probabilities, shape: [count, outputs])
            writer.add("labels", labels, shape: isMultilabel ? [count, outputs] : [count])
        }
        writer.add("sequence_ids_offsets", idOffsets, shape: [count + 1])
        writer.add("sequence_ids", bytes: ids)
        return try writer.bytes()
    }

    private var isMultilabel: Bool {
        if case .multilabel = probe.task { return true }
        return false
    }

    private func names(_ classes: [Int]) -> [String] { classes.map { probe.task.classes![$0] } }

    private func jsonRow(
        _ id: String, _ logits: [Float], _ probabilities: [Float], _ classes: [Int]
    ) throws -> [UInt8] {
        let label: String
        if probe.task.classes == nil {
            label = "null"
        } else {
            label = isMultilabel ? try JSONList.encode(names(classes)) : try json(names(classes)[0])
        }
        let row =
            "{\"id\":\(try json(id)),\"logits\":\(numbers(logits)),"
            + "\"probabilities\":\(numbers(probabilities)),\"label\":\(label)}\n"
        return Array(row.utf8)
    }

    private func csvRow(_ id: String, _ logits: [Float], _ probabilities: [Float], _ classes: [Int])
        -> [UInt8]
    {
        var fields = [csvField(id)] + (logits + probabilities).map { "\($0)" }
        if probe.task.classes != nil { fields.append(csvField(names(classes).joined(separator: ";"))) }
        return Array((fields.joined(separator: ",") + "\r\n").utf8)
    }

    private mutating func collect(_ id: String, _ logits: [Float], _ probabilities: [Float], _ classes: [Int])
    {
        self.logits += logits
        self.probabilities += probabilities
        labels += isMultilabel ? logits.indices.map { classes.contains($0) ? 1 : 0 } : classes
        ids += Array(id.utf8)
        idOffsets.append(ids.count)
    }

    private func numbers(_ values: [Float]) -> String {
        "[" + values.map { "\($0)" }.joined(separator: ",") + "]"
    }

    private func json(_ text: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return try String(decoding: encoder.encode(text), as: UTF8.self)
    }

    private func csvField(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else {
            return text
        }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
