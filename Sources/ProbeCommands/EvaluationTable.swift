import AttentionProbes

extension Evaluation {
    /// What was judged, its metrics in columns, the confusion matrix and the ROC curve, at most 80 wide.
    func table(_ probe: Probe, _ data: ActivationSet) -> String {
        let names = few(data.fileNames)
        var rows: [(name: String, value: String, interval: String)] =
            data.areScores
            ? []
            : probe.nameLines.enumerated().map { ($0 == 0 ? "probe" : "", $1, "") }
                + [("trained on", probe.trainingSummary.printable, "")]
        // Names of classes may be long.
        rows.append(("task", probe.task.summary.shortened(to: 58), ""))
        if let positive = probe.task.positiveClass { rows.append(("positive class", positive.printable, "")) }
        rows += [
            (data.areScores ? "scores" : "data", names, ""), ("sequences", String(sequences), ""),
        ]
        if tokens > 0 { rows.append(("tokens", String(tokens), "")) }
        rows += metrics.map { own in
            if let invisibility = invisibility(own.metric) { return (own.metric.name, invisibility, "") }
            let text = own.metric.isFraction ? decimal : significant
            let interval = own.interval.map { "(\(text($0.lowerBound)) to \(text($0.upperBound)))" }
            return (own.metric.name, text(own.value), interval ?? "")
        }
        if let threshold {
            let promise = probe.thresholdRule.map {
                "(false positives at most \(significant($0.falsePositiveRate)), confidence \($0.confidence))"
            }
            rows.append(("threshold", probability(threshold), promise ?? ""))
        }
        rows += [
            ("recall at threshold", atThreshold?.recall),
            ("FPR at threshold", atThreshold?.falsePositiveRate),
        ]
        .compactMap { name, rate in
            rate.map {
                (
                    name, decimal($0.value),
                    "(\(decimal($0.low)) to \(decimal($0.high))), \($0.flagged) of \($0.sequences)"
                )
            }
        }
        if let entropyRatio {
            for (line, start) in stride(from: 0, to: entropyRatio.count, by: 12).enumerated() {
                let part = entropyRatio[start..<min(start + 12, entropyRatio.count)]
                let numbers = part.map { $0.fixed(2) }.joined(separator: " ")
                rows.append((line == 0 ? "entropy ratio" : "", numbers, ""))
            }
        }
        rows += byLength.map { third in
            let parts = third.values.compactMap { metric, value in
                value.map { "\(metric.name) \(decimal($0))" }
            }
            let (least, most) = (third.tokens.lowerBound, third.tokens.upperBound)
            return (
                "\(third.name) ones",
                parts.joined(separator: ", ") + (parts.isEmpty ? "" : "  ")
                    + "(\(third.sequences) of \(least)–\(most) tokens)", ""
            )
        }
        let nameWidth = rows.map(\.name.displayWidth).max() ?? 0
        let valueWidth = rows.filter { !$0.interval.isEmpty }.map(\.value.displayWidth).max() ?? 0
        var lines = rows.flatMap { row in
            let value = row.interval.isEmpty ? row.value : row.value.filled(to: valueWidth + 2) + row.interval
            return value.hanging(after: row.name.filled(to: nameWidth + 2))
        }
        if let confusionMatrix, let classes = probe.task.classes {
            lines += [""] + confusionMatrix.lines(classes)
        }
        if byClass.count > 1 { lines += [""] + classLines }
        if let groupTable { lines += ["", groupTable] }
        if byClass.count == 1, let auroc = byClass[0].auroc {
            lines += ["", "ROC curve, AUROC \(decimal(auroc))"] + rocLines(byClass[0].ranking.roc)
        }
        return lines.joined(separator: "\n")
    }

    /// Classes that are listed.
    private static let mostClasses = 40

    private var classLines: [String] {
        let columns = ["sequences", "precision", "recall", "F1", "AUROC"]
        let names = byClass.map { $0.name.printable.shortened(to: 24) }
        let width = max(5, names.map(\.displayWidth).max() ?? 0)
        let head = "class".filled(to: width) + columns.map { $0.padded(to: 11) }.joined()
        let left = byClass.count - Self.mostClasses
        return [head]
            + zip(names, byClass).prefix(Self.mostClasses).map { name, own in
                let cells = [
                    String(own.sequences), decimal(own.precision), decimal(own.recall),
                    decimal(own.f1), own.auroc.map(decimal) ?? "-",
                ]
                return name.filled(to: width) + cells.map { $0.padded(to: 11) }.joined()
            } + (left > 0 ? ["and \(left) more; --json has all"] : [])
    }
}

extension Evaluation {
    /// Groups that are listed.
    private static let mostGroups = 40

    /// Rates a group, each with its interval; nil without groups.
    var groupTable: String? {
        guard !byGroup.isEmpty else { return nil }
        let heads = ["accuracy": "accuracy", "recall": "recall", "false_positive_rate": "FPR"]
        let keys = task == .binary ? ["accuracy", "recall", "false_positive_rate"] : ["accuracy"]
        let shown = byGroup.prefix(Self.mostGroups).map { group in
            [group.name.printable.shortened(to: 16), String(group.sequences)]
                + keys.flatMap { key in
                    let rate = group.values.first { $0.key == key }?.rate
                    return [
                        rate.map { $0.value.fixed(2) } ?? "-",
                        rate.map { "\($0.low.fixed(2))–\($0.high.fixed(2))" } ?? "",
                    ]
                }
        }
        let left = byGroup.count - shown.count
        return
            (inColumns(
                [["group", "sequences"] + keys.flatMap { [heads[$0]!, "95 %"] }] + shown,
                gaps: [2] + keys.flatMap { _ in [2, 1] })
            + (left > 0 ? ["and \(left) more; --json has all"] : []))
            .joined(separator: "\n")
    }
}

extension ConfusionMatrix {
    /// Rows of counts under the names of the classes; under their numbers where names would not fit.
    fileprivate func lines(_ classes: [String]) -> [String] {
        let names = classes.map { $0.printable.shortened(to: 16) }
        let digits = counts.joined().map { String($0).count }.max() ?? 1
        let corner = "label \\ predicted"
        var width = max(digits, names.map(\.displayWidth).max() ?? 0) + 2
        let isNamed = corner.count + width * names.count <= 80
        if !isNamed { width = max(digits, String(names.count - 1).count) + 2 }
        guard isNamed || corner.count + 4 + width * names.count <= 80 else {
            return ["the most frequent mistakes, label and prediction"]
                + mistakes(12).map { mistake in
                    names[mistake.label].filled(to: 18) + names[mistake.prediction].filled(to: 18)
                        + String(mistake.count).padded(to: 8)
                }
        }
        let rowNames = isNamed ? names : names.enumerated().map { "\($0) \($1)" }
        let columnNames = isNamed ? names : names.indices.map(String.init)
        let nameWidth = max(corner.count, rowNames.map(\.displayWidth).max() ?? 0)
        return [corner.filled(to: nameWidth) + columnNames.map { $0.padded(to: width) }.joined()]
            + zip(rowNames, counts).map { name, row in
                name.filled(to: nameWidth) + row.map { String($0).padded(to: width) }.joined()
            }
    }
}

/// A small drawing of an ROC curve in characters, with the diagonal of a guess.
private func rocLines(_ points: [CurvePoint], width: Int = 48, height: Int = 12) -> [String] {
    var cells = Array(repeating: Array(repeating: Character(" "), count: width), count: height)
    func mark(_ x: Double, _ y: Double, _ character: Character) {
        let column = min(width - 1, Int(x * Double(width)))
        let row = min(height - 1, Int((1 - y) * Double(height)))
        cells[row][column] = character
    }
    for step in 0...width { mark(Double(step) / Double(width), Double(step) / Double(width), "·") }
    for (from, to) in zip(points, points.dropFirst()) {
        for step in 0...4 * width {
            let part = Double(step) / Double(4 * width)
            mark(from.x + part * (to.x - from.x), from.y + part * (to.y - from.y), "•")
        }
    }
    let rows = cells.enumerated().map { row, cells in
        let label = row == 0 ? "1" : row == height - 1 ? "0" : " "
        return "\(label) │" + String(cells)
    }
    let axis = "  └" + String(repeating: "─", count: width)
    let ends = "  0" + "false positive rate".padded(to: width / 2 + 10) + "1".padded(to: width / 2 - 10)
    return ["true positive rate"] + rows + [axis, ends]
}
