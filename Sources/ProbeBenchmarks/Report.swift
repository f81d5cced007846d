import Foundation

/// All that a run found.
struct Report: Encodable {
    let machine: Machine
    /// Versions of the peers; empty without.
    let peers: [String: String]
    var cases: [Case] = []

    var heading: String {
        let versions = peers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return ([machine.heading] + (peers.isEmpty ? [] : [versions.joined(separator: ", ")]))
            .joined(separator: "\n")
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try String(decoding: encoder.encode(self), as: UTF8.self)
    }

    /// The shapes as tables in Markdown: time, fraction of the roofline, and the others' times over
    /// ours.
    var table: String {
        ["forward", "loss and gradient"].compactMap { section in
            let cases = cases.filter { $0.section == section }
            let names = cases.flatMap { $0.ways.dropFirst().map(\.name) }
            let others = names.enumerated().filter {
                !names[..<$0.offset].contains($0.element) && $0.element != "reading alone"
            }.map(
                \.element)
            guard !cases.isEmpty else { return nil }
            let head =
                ["\(section), \(machine.threads) threads", "AttentionProbes", "of the roofline"] + others
            let rows = cases.map { item in
                let ours = item.ways[0].timing
                return [
                    item.shape,
                    String(
                        format: "%.0f ms ±%.0f %%, %.1f GB/s", ours.median * 1e3, ours.spread,
                        item.bytes / ours.median * 1e-9),
                    String(format: "%.2f", item.rooflineFraction ?? .nan),
                ]
                    + others.map { name in
                        item.ratio(name).map { String(format: $0 < 10 ? "%.1f×" : "%.0f×", $0) } ?? ""
                    }
            }
            let lines = [head, head.map { _ in "---" }] + rows
            return "\n" + lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
