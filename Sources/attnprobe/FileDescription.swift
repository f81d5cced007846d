import AttentionProbes
import Foundation
import Tensors

/// What `inspect` says of one file.
struct FileDescription: Encodable {
    let path: String
    let format: String
    let tensors: [String: Tensor]
    let metadata: [String: String]
    var activations: Activations?

    struct Tensor: Encodable {
        let dtype: String
        let shape: [Int]
    }

    struct Activations: Encodable {
        let sequences: Int
        let tokens: Int
        let width: Int
        let element_type: String
        let shortest, median, longest: Int
        let labels: [String: Int]?
        let groups: Int?
        let layers: Int
        let nonfinite_sequences: Int
    }

    /// Reads the header, checks the rest by the file's format, and reads all hidden states of
    /// activations, to count sequences with one that is not finite.
    init(_ path: String, _ layers: [Int]?, _ threads: Int) throws {
        let file = try Safetensors(anyContainer: path)
        self.path = path
        tensors = file.tensors.mapValues { Tensor(dtype: $0.type, shape: $0.shape) }
        metadata = file.metadata
        if metadata["format"] == Probe.fileFormat {
            format = "probe"
            _ = try Probe(path: path)
        } else if metadata["format"] == ActivationFile.fileFormat || file.tensors["hidden_states"] != nil {
            let count = try ActivationFile(path: path, layers: layers ?? [0]).layerCount
            let data = try ActivationFile(path: path, layers: layers ?? Array(0..<count))
            format = data.form.name
            activations = try Self.activations(data, layers?.count ?? count, threads)
        } else {
            format = metadata["format"] ?? "safetensors"
        }
    }

    // `width` is that of one of the layers that were read.
    private static func activations(_ file: ActivationFile, _ layers: Int, _ threads: Int) throws
        -> Activations
    {
        let set = try ActivationSet([file])
        let lengths = set.indices.map { set[$0].rows.count }.sorted()
        return Activations(
            sequences: set.count, tokens: set.tokenCount, width: set.width / layers,
            element_type: file.batch.tokens.elementType.rawValue, shortest: lengths[0],
            median: lengths[lengths.count / 2], longest: lengths[lengths.count - 1],
            labels: counts(file), groups: file.groups.map { Set($0).count }, layers: file.layerCount,
            nonfinite_sequences: set.count - (try set.finiteSequences(threads: threads).count))
    }

    private static func counts(_ file: ActivationFile) -> [String: Int]? {
        switch file.targets {
        case .classes(let labels):
            Dictionary(labels.map { (file.classes?[$0] ?? String($0), 1) }, uniquingKeysWith: +)
        case .values(let values) where values.storage.allSatisfy { $0 == 0 || $0 == 1 }:
            Dictionary(
                uniqueKeysWithValues: (0..<values.columns).map { c in
                    (file.classes?[c] ?? String(c), (0..<values.rows).filter { values[$0, c] == 1 }.count)
                })
        default: nil
        }
    }

    /// Lines for people.
    var text: String {
        var lines = ["\(path): \(format)"]
        if let activations {
            let a = activations
            lines += [
                "  \(a.sequences) sequences, \(a.tokens) tokens of \(a.width) \(a.element_type)",
                "  lengths \(a.shortest) to \(a.longest), median \(a.median)",
            ]
            if a.layers > 1 { lines.append("  layers  \(a.layers)") }
            if let labels = a.labels {
                let counts = labels.sorted { $0.key < $1.key }.map { "\($0.key.printable) \($0.value)" }
                lines.append("  labels  " + counts.joined(separator: ", "))
            }
            if let groups = a.groups { lines.append("  groups  \(groups)") }
            lines.append("  sequences with a NaN or infinity  \(a.nonfinite_sequences)")
        }
        lines.append("  tensors")
        lines += columns(tensors.mapValues { "\($0.dtype) \($0.shape)" })
        if !metadata.isEmpty {
            lines.append("  metadata")
            lines += columns(metadata)
        }
        return lines.joined(separator: "\n")
    }

    private func columns(_ entries: [String: String]) -> [String] {
        let width = entries.keys.map(\.count).max() ?? 0
        return entries.sorted { $0.key < $1.key }
            .map { "    " + $0.key.printable.filled(to: width + 2) + $0.value.printable }
    }
}
