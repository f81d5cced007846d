/// What `inspect` says of many files together.
struct FilesSummary {
    private let files: [FileDescription]

    init(_ files: [FileDescription]) { self.files = files }

    /// Lines for people.
    var text: String {
        let formats = counts(files.map { ($0.format, 1) }).map { "\($0.key) \($0.value)" }
        var lines = ["\(files.count) files: \(list(formats))"]
        let activations = files.compactMap(\.activations)
        guard let longest = activations.map(\.longest).max(),
            let shortest = activations.map(\.shortest).min()
        else { return lines[0] }
        let sums = (activations.reduce(0) { $0 + $1.sequences }, activations.reduce(0) { $0 + $1.tokens })
        let kinds = Set(activations.map { "\($0.width) \($0.element_type)" }).sorted()
        lines.append(
            "  \(counted(sums.0, "sequence")), \(counted(sums.1, "token")) of \(list(kinds))")
        lines.append("  lengths \(shortest) to \(longest), mean \(sums.1 / max(1, sums.0))")
        let layers = Set(activations.map(\.layers)).sorted()
        if layers != [1] { lines.append("  layers  \(list(layers.map(String.init)))") }
        let labels = counts(activations.flatMap { Array($0.labels ?? [:]) })
        if !labels.isEmpty {
            lines.append("  labels  \(list(labels.map { "\($0.key.printable) \($0.value)" }))")
        }
        let unlabelled = activations.count { $0.labels == nil }
        if !labels.isEmpty, unlabelled > 0 {
            lines.append("  without labels  \(counted(unlabelled, "file"))")
        }
        let bad = activations.reduce(0) { $0 + $1.nonfinite_sequences }
        lines.append("  sequences with a NaN or infinity  \(bad)")
        return lines.joined(separator: "\n")
    }

    // Sums by name, in the order of names.
    private func counts(_ pairs: [(key: String, value: Int)]) -> [(key: String, value: Int)] {
        Dictionary(pairs.map { ($0.key, $0.value) }, uniquingKeysWith: +).sorted { $0.key < $1.key }
    }

    private func list(_ parts: [String]) -> String {
        parts.prefix(12).joined(separator: ", ") + (parts.count > 12 ? ", …" : "")
    }
}
