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
import Tensors
package import Activations

/// Formats of scores.
package enum ScoreFormat: String, Sendable, CaseIterable {
    /// One JSON object a line.
    case jsonl
    /// Comma-separated values with a header.
    case csv
    /// Tensors.
    case safetensors
}

/// Turns the scores of one probe or several into the bytes of a file, chunk by chunk.
package struct ScoreWriter: Sendable {
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
    package init(
        _ format: ScoreFormat, _ probes: [Probe], names: [String], _ data: ActivationSet,
        threads: Int = Parallel.availableThreads
    ) {
        precondition(!probes.isEmpty && names.count == probes.count && Set(names).count == names.count)
        self.format = format
        self.data = data
        self.threads = threads
        isSingle = probes.count == 1
        columns = zip(names, probes).map { ScoreColumns(name: $0, probe: $1) }
        logits = probes.map { _ in [] }
    }

    /// What comes before the rows.
    package var head: [UInt8] {
        guard format == .csv else { return [] }
        let names = columns.flatMap { $0.csvNames(prefix: isSingle ? "" : $0.name + ".") }
        var text = RowText()
        text.writeJoined(["id"] + names) { $1.writeCSV($0) }
        text.write("\r\n")
        return text.bytes
    }

    /// The rows of the next scores, one result a probe.
    ///
    /// - Throws: `DataError` where a file that names the sequences has become shorter.
    package mutating func rows(_ scores: [Scores]) throws -> [UInt8] {
        let range = scores[0].range
        if format == .safetensors {
            for (i, scores) in scores.enumerated() { logits[i] += scores.logits.storage }
            for index in range {
                ids += Array(data.id(index).utf8)
                idOffsets.append(ids.count)
            }
            try data.checkNothingLost(range)
            return []
        }
        // Long enough parts to be worth a thread.
        let size = 256
        let parts = try Parallel.map(count: (range.count + size - 1) / size, threads: threads) {
            [self] part -> [UInt8] in
            var text = RowText()
            for offset in part * size..<min((part + 1) * size, range.count) {
                addRow(offset, of: scores, to: &text)
            }
            return text.bytes
        }
        try data.checkNothingLost(range)
        return parts.reduce(into: []) { $0 += $1 }
    }

    /// How the row of a sequence starts: with its id, and what ends it. Another may begin with this one.
    func rowStart(_ index: Int) -> [UInt8] {
        var text = RowText()
        addStart(index, to: &text)
        if format == .csv { text.write(",") }
        return text.bytes
    }

    /// What comes after the rows.
    package func tail() throws -> [UInt8] {
        guard format == .safetensors else { return [] }
        let count = idOffsets.count - 1
        var writer = SafetensorsWriter(metadata: metadata)
        for (columns, logits) in zip(columns, logits) {
            columns.add(logits, count: count, to: &writer, prefix: isSingle ? "" : columns.name + ".")
        }
        writer.add("sequence_ids_offsets", idOffsets, shape: [count + 1])
        writer.add("sequence_ids", bytes: ids)
        return try writer.bytes(of: "scores")
    }

    private var metadata: [String: String] {
        var metadata = ["format": "attention-probes/scores", "version": "1"]
        for columns in columns {
            let prefix = isSingle ? "" : columns.name + "."
            metadata[prefix + "task"] = columns.probe.task.name
            if let classes = columns.probe.task.classes {
                metadata[prefix + "classes"] = JSONList.encode(classes)
            }
        }
        return metadata
    }

    private func addStart(_ index: Int, to text: inout RowText) {
        let id = data.id(index)
        if format == .csv {
            text.writeCSV(id)
        } else {
            text.write("{\"id\":")
            text.writeJSON(id)
            text.write(",")
        }
    }

    private func addRow(_ offset: Int, of scores: [Scores], to text: inout RowText) {
        addStart(scores[0].range.lowerBound + offset, to: &text)
        if format == .csv {
            for (i, columns) in columns.enumerated() {
                columns.addCSV(scores[i].logits[row: offset], to: &text)
            }
            text.write("\r\n")
            return
        }
        if isSingle {
            columns[0].addJSON(scores[0].logits[row: offset], to: &text)
        } else {
            text.write("\"probes\":{")
            text.writeJoined(columns.indices) { i, text in
                text.writeJSON(columns[i].name)
                text.write(":{")
                columns[i].addJSON(scores[i].logits[row: offset], to: &text)
                text.write("}")
            }
            text.write("}")
        }
        text.write("}\n")
    }
}
