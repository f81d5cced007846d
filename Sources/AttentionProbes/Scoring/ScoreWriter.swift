// Scores as files: one row a sequence, in the order of the data. With one probe:
//
//     jsonl         {"id": …, "logits": […], "probabilities": […], "label": …} a line
//     csv           id,logit,probability,label, or logit_NAME, … a class; quoted as in RFC 4180
//     safetensors   logits and probabilities (F32, N×O), labels (I64: N class indices, or N×O of 0
//                   and 1 for multilabel), sequence_ids and sequence_ids_offsets
//
// With several, each under its name:
//
//     jsonl         {"id": …, "probes": {"NAME": {"logits": …, "probabilities": …, "label": …}, …}}
//     csv           id,NAME.logit,NAME.probability,NAME.label, …
//     safetensors   NAME.logits, NAME.probabilities, NAME.labels, …
//
// `label` is the predicted class, a list of classes for multilabel, null for regression, which has
// no probabilities either.
private import Foundation
public import Tensors

/// Formats of scores.
public enum ScoreFormat: String, Sendable, CaseIterable {
    /// One JSON object a line.
    case jsonl
    /// Comma-separated values with a header.
    case csv
    /// Tensors.
    case safetensors
}

/// Turns the scores of one probe or several into the bytes of a file, chunk by chunk.
public struct ScoreWriter: Sendable {
    private let format: ScoreFormat
    private let data: ActivationSet
    private let threads: Int
    private let isSingle: Bool
    private let columns: [ScoreColumns]
    // Safetensors states sizes before content, so its columns wait for the end.
    private var logits: [[Float]]
    private var ids: [UInt8] = []
    private var idOffsets = [0]

    /// A writer for the scores of some probes, with a name for each, of a set.
    ///
    /// - Precondition: as many names as probes, at least one, no two the same.
    public init(
        _ format: ScoreFormat, _ probes: [Probe], names: [String], _ data: ActivationSet,
        threads: Int = Parallel.availableThreads
    ) {
        precondition(!probes.isEmpty && names.count == probes.count && Set(names).count == names.count)
        self.format = format
        self.data = data
        self.threads = threads
        isSingle = probes.count == 1
        columns = zip(names, probes).map(ScoreColumns.init)
        logits = probes.map { _ in [] }
    }

    /// What comes before the rows.
    public var head: [UInt8] {
        guard format == .csv else { return [] }
        let names = columns.flatMap { $0.csvNames(prefix: isSingle ? "" : $0.name + ".") }
        return Array(((["id"] + names).map(csvField).joined(separator: ",") + "\r\n").utf8)
    }

    /// The rows of the next scores, one result a probe.
    public mutating func rows(_ scores: [Scores]) throws -> [UInt8] {
        let range = scores[0].range
        if format == .safetensors {
            for (i, scores) in scores.enumerated() { logits[i] += scores.logits.storage }
            for index in range {
                ids += Array(data.id(index).utf8)
                idOffsets.append(ids.count)
            }
            return []
        }
        // Long enough parts to be worth a thread.
        let size = 256
        let parts = try Parallel.map(count: (range.count + size - 1) / size, threads: threads) {
            [self] part -> [UInt8] in
            var bytes: [UInt8] = []
            for offset in part * size..<min((part + 1) * size, range.count) {
                let row = row(data.id(range.lowerBound + offset), scores.map { $0.logits[row: offset] })
                bytes.append(contentsOf: row.utf8)
            }
            return bytes
        }
        return Array(parts.joined())
    }

    /// How the row of a sequence starts: with its id.
    func rowStart(_ index: Int) -> [UInt8] {
        let id = data.id(index)
        return Array((format == .csv ? csvField(id) + "," : "{\"id\":\(json(id)),").utf8)
    }

    /// What comes after the rows.
    public func tail() throws -> [UInt8] {
        guard format == .safetensors else { return [] }
        let count = idOffsets.count - 1
        var writer = SafetensorsWriter(metadata: metadata)
        for (columns, logits) in zip(columns, logits) {
            columns.add(logits, count: count, to: &writer, prefix: isSingle ? "" : columns.name + ".")
        }
        writer.add("sequence_ids_offsets", idOffsets, shape: [count + 1])
        writer.add("sequence_ids", bytes: ids)
        return try writer.bytes()
    }

    private var metadata: [String: String] {
        var metadata = ["format": "attention-probes/scores", "version": "1"]
        for columns in columns {
            let prefix = isSingle ? "" : columns.name + "."
            metadata[prefix + "task"] = columns.probe.task.name
            if let classes = columns.probe.task.classes {
                metadata[prefix + "classes"] = json(classes)
            }
        }
        return metadata
    }

    private func row(_ id: String, _ logits: [ArraySlice<Float>]) -> String {
        if format == .csv {
            let fields = zip(columns, logits).flatMap { $0.csvFields($1) }
            return csvField(id) + "," + fields.joined(separator: ",") + "\r\n"
        }
        let fields = zip(columns, logits).map { $0.jsonFields($1) }
        if isSingle { return "{\"id\":\(json(id)),\(fields[0])}\n" }
        let probes = zip(columns, fields).map { "\(json($0.name)):{\($1)}" }.joined(separator: ",")
        return "{\"id\":\(json(id)),\"probes\":{\(probes)}}\n"
    }
}

/// What one probe puts into a row.
private struct ScoreColumns: Sendable {
    let name: String
    let probe: Probe
    private let jsonClasses: [String]

    init(name: String, probe: Probe) {
        self.name = name
        self.probe = probe
        jsonClasses = (probe.task.classes ?? []).map { json($0) }
    }

    func jsonFields(_ logits: ArraySlice<Float>) -> String {
        let probabilities = probe.probabilities(logits)
        let names = classes(probabilities).map { jsonClasses[$0] }
        let label =
            probe.task.classes == nil
            ? "null" : isMultilabel ? "[" + names.joined(separator: ",") + "]" : names[0]
        return
            "\"logits\":\(numbers(logits)),\"probabilities\":\(numbers(probabilities[...])),\"label\":\(label)"
    }

    func csvNames(prefix: String) -> [String] {
        let task = probe.task
        let names =
            task.outputs == 1 ? [""] : (task.classes ?? (0..<task.outputs).map(String.init)).map { "_" + $0 }
        var columns = names.map { prefix + "logit" + $0 }
        if task.classes != nil { columns += names.map { prefix + "probability" + $0 } + [prefix + "label"] }
        return columns
    }

    func csvFields(_ logits: ArraySlice<Float>) -> [String] {
        let probabilities = probe.probabilities(logits)
        let fields = (logits + probabilities).map { "\($0)" }
        guard let names = probe.task.classes else { return fields }
        return fields + [csvField(classes(probabilities).map { names[$0] }.joined(separator: ";"))]
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

    private func numbers(_ values: ArraySlice<Float>) -> String {
        "[" + values.map { "\($0)" }.joined(separator: ",") + "]"
    }
}

private func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Strings and lists of strings can always be encoded.
    return try! String(decoding: encoder.encode(value), as: UTF8.self)
}

private func json(_ text: String) -> String {
    // Most ids need no escape, and an encoder for each would take longer than the scores.
    let isPlain = text.utf8.allSatisfy {
        $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    return isPlain ? "\"\(text)\"" : json([text]).dropFirst().dropLast().description
}

private func csvField(_ text: String) -> String {
    let special = [UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\r"), UInt8(ascii: "\n")]
    guard text.utf8.contains(where: special.contains) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
}
