import AttentionProbes
import Foundation
import Tensors

/// What `inspect` says of one file.
struct FileDescription: Encodable {
    let path: String
    let format: String
    let tensors: [String: String]
    let metadata: [String: String]
    var activations: Activations?

    struct Activations: Encodable {
        let sequences: Int
        let tokens: Int
        let width: Int
        let element_type: String
        let shortest, median, longest: Int
        let labels: [String: Int]?
        let groups: Int?
        let nonfinite_sequences: Int
    }

    /// A probe file.
    init(_ probe: Probe, _ path: String) {
        self.path = path
        format = "probe"
        tensors = Dictionary(
            uniqueKeysWithValues: probe.architecture.tensors.map { ($0.name, "F32 \($0.shape)") })
        var metadata = probe.training
        metadata["kind"] = probe.configuration.kind.rawValue
        metadata["attention"] = probe.configuration.attention.rawValue
        metadata["heads"] = String(probe.configuration.heads)
        metadata["hidden"] = String(probe.configuration.hidden)
        metadata["outputs"] = String(probe.task.outputs)
        metadata["task"] = probe.task.name
        metadata["classes"] = probe.task.classes?.joined(separator: ", ")
        metadata["threshold"] = probe.task.hasThreshold ? String(probe.threshold) : nil
        self.metadata = metadata
    }

    /// An activation file. Reads all hidden states, to count those that are not finite.
    init(_ file: ActivationFile, _ threads: Int) throws {
        path = file.path
        format = "activations"
        tensors = try Safetensors(path: file.path).tensors.mapValues { "\($0.type) \($0.shape)" }
        metadata = file.metadata
        let set = try ActivationSet([file])
        let lengths = set.indices.map { set[$0].rows.count }.sorted()
        activations = Activations(
            sequences: set.count, tokens: file.batch.tokens.rows, width: set.width,
            element_type: file.batch.tokens.elementType.rawValue, shortest: lengths[0],
            median: lengths[lengths.count / 2], longest: lengths[lengths.count - 1],
            labels: Self.counts(file), groups: file.groups.map { Set($0).count },
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
            if let labels = a.labels {
                let counts = labels.sorted { $0.key < $1.key }.map { "\($0.key.printable) \($0.value)" }
                lines.append("  labels  " + counts.joined(separator: ", "))
            }
            if let groups = a.groups { lines.append("  groups  \(groups)") }
            lines.append("  sequences with a NaN or infinity  \(a.nonfinite_sequences)")
        }
        lines.append("  tensors")
        lines += columns(tensors)
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
