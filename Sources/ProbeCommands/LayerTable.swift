import AttentionProbes

extension SelectionResult {
    /// The layers in their order and an ensemble across them: metric, its interval, and the best candidate of each. The
    /// table is at most 80 wide.
    var layerTable: String {
        let text = metric.isFraction ? decimal : significant
        let cells = layers.map { row in
            let numbers = row.layers.map(String.init).joined(separator: ",")
            let place = ((row.chosen == true ? "* " : "  ") + numbers).shortened(to: 24)
            guard let value = row.value else { return [place, "failed"] }
            return [place, text(value), row.low.map(text) ?? "", row.high.map(text) ?? ""]
        }
        let lines = inColumns([["  layer", metric.scoreName, "from", "to"]] + cells, gaps: [2, 2, 1])
        var table = [
            "\(metric.scoreTitle) by layer, all folds together, 95 % intervals",
            lines[0] + "  best candidate",
        ]
        for (line, (row, entry)) in zip(lines.dropFirst(), zip(layers, entries)) {
            table += (row.failure ?? row.name).hanging(after: line + "  ")
            guard row.layers.count > 1 else { continue }
            table += entry.parts.flatMap {
                $0.entry.name.hanging(after: "      \(Double($0.weight).fixed(2)) × ")
            }
        }
        return table.joined(separator: "\n")
    }
}
