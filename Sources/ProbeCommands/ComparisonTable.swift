import AttentionProbes

extension Comparison.DataSet {
    /// The probes, the baseline first: metric, difference and their intervals, entropy ratio; below, what
    /// failed or did not converge. The table is at most 80 wide.
    var table: String {
        let isByLayer = rows.contains { $0.layers != nil }
        let to = isByLayer ? "to first" : baseline.count <= 8 ? "to \(baseline)" : "difference"
        let head =
            (isByLayer ? ["  probe", "layer"] : ["probe"])
            + ["value", "from", "to", to, "from", "to", "entropy"]
        let cells = rows.map { row in
            let name = row.layers.map { layers in
                let numbers = layers.map(String.init).joined(separator: ",")
                return [
                    (row.chosen == true ? "* " : "  ") + (row.model ?? row.name).shortened(to: 18),
                    numbers.shortened(to: 6),
                ]
            }
            guard row.value != nil else { return (name ?? [row.name]) + ["failed"] }
            return (name ?? [row.name]) + [
                brief(row.value), brief(row.low), brief(row.high),
                brief(row.difference, isSigned: true), brief(row.differenceLow, isSigned: true),
                brief(row.differenceHigh, isSigned: true),
                row.entropyRatio.map { $0.fixed(2) } ?? "",
            ]
        }
        let title = "\(metric), difference to \(baseline), 95 % intervals"
        return
            ([heading.printable, title.shortened(to: 80)]
            + (isByLayer ? ["* the layer of a probe that cross-validation on the training data chooses"] : [])
            + (unseen.map { [$0] } ?? [])
            + inColumns([head] + cells, gaps: (isByLayer ? [1] : []) + [2, 1, 1, 2, 1, 1, 2]) + controlLines
            + rows.flatMap(\.remarks))
            .joined(separator: "\n")
    }

    // Metrics of the controls, and the margin of each probe above the best of them.
    private var controlLines: [String] {
        guard let controls else { return [] }
        let lines = inColumns(
            [["control", "value", "from", "to"]]
                + controls.map {
                    $0.value == nil
                        ? [$0.name, "none"] : [$0.name, brief($0.value), brief($0.low), brief($0.high)]
                }, gaps: [2, 1, 1])
        let failures = controls.compactMap { row in row.failure.map { "\(row.name): \($0)" } }
        guard let bestControl else { return lines + failures }
        return lines
            + inColumns(
                [["above \(bestControl)", "by", "from", "to"]]
                    + rows.filter { $0.aboveControl != nil }.map { row in
                        [row.name]
                            + [row.aboveControl, row.aboveControlLow, row.aboveControlHigh].map {
                                brief($0, isSigned: true)
                            }
                    }, gaps: [2, 1, 1]) + failures
    }

    // The set that probes were trained on and the set that judges them.
    private var heading: String {
        guard let training, let test else { return name }
        return crossValidated == true ? "\(training), by cross-validation" : "\(test), trained on \(training)"
    }
}

extension Comparison {
    /// The sets: of every set with every set a matrix a probe, and what failed or did not converge.
    var table: String {
        let matrices = transfer
        guard !matrices.isEmpty else { return dataSets.map(\.table).joined(separator: "\n\n") }
        let remarks = dataSets.flatMap { set in
            ((set.unseen.map { [$0] } ?? []) + set.rows.flatMap(\.remarks)).map { "\(set.name): \($0)" }
        }
        return (matrices.map(\.table) + (remarks.isEmpty ? [] : [remarks.joined(separator: "\n")]))
            .joined(separator: "\n\n")
    }
}

extension TransferMatrix {
    /// A line of values for each set that was trained on, below it their intervals, and where there are controls what the
    /// probe has more than the best of them.
    fileprivate var table: String {
        let hasControls = cells.joined().contains { $0.aboveControl != nil }
        let names = String.shortened(sets.map(\.printable), to: 24)
        var lines: [[String]] = [[""] + names]
        for (name, row) in zip(names, zip(cells, bestControls)) {
            let cells = zip(row.0, row.1)
            lines.append(
                [name]
                    + cells.map { cell, _ in cell.value == nil ? "failed" : brief(cell.value) })
            lines.append(
                [""] + cells.map { cell, _ in cell.low.map { "\(brief($0)) to \(brief(cell.high))" } ?? "" })
            guard hasControls else { continue }
            lines.append(
                [""]
                    + cells.map { cell, control in
                        cell.aboveControl.map { "\(brief($0, isSigned: true)) \(control!)" } ?? ""
                    })
        }
        let title = "\(name): \(metric), rows trained on, columns judged by"
        let more = hasControls ? ["below these, what the probe has more than the best control"] : []
        return
            ([title.shortened(to: 80), "95 % intervals below; the diagonal by cross-validation"] + more
            + inColumns(lines, gaps: sets.map { _ in 2 }))
            .joined(separator: "\n")
    }
}

extension Comparison.Row {
    fileprivate var remarks: [String] {
        if let failure { return ["\(name) failed: \(failure)"] }
        return (candidates ?? []).compactMap { candidate in
            let chosen = candidate.chosen == true ? " (chosen)" : ""
            if let failure = candidate.failure { return "\(candidate.name)\(chosen) failed: \(failure)" }
            return candidate.converged != false ? nil : "\(candidate.name)\(chosen) did not converge"
        }
    }
}

extension SelectionResult {
    /// The candidates, the best first: the metric of all sequences together, of the folds its mean, least and greatest,
    /// seconds of training.
    var table: String {
        let ranked = rows.sorted { ($0.pooled ?? -.infinity) > ($1.pooled ?? -.infinity) }
        let text = metric.isFraction ? decimal : significant
        let head = ["", metric.scoreName, "mean of folds", "from", "to", "seconds"]
        let figures = inColumns(
            [head]
                + ranked.map { row in
                    guard let pooled = row.pooled, let score = row.score, let low = row.low,
                        let high = row.high
                    else { return [] }
                    return [
                        "", text(pooled), text(score), text(low), text(high), (row.seconds ?? 0).fixed(1),
                    ]
                }, gaps: [2, 2, 2, 2, 2])
        // What figures leave of 80 columns, and of a name below its start two less.
        let room = 80 - (figures.map(\.displayWidth).max() ?? 0) - 4
        let names = ["candidate"] + ranked.map { $0.parts == nil ? $0.name : "ensemble" }
        let marks = ["  "] + ranked.map { $0.chosen == true ? "* " : "  " }
        let starts = zip(marks, names).map { mark, name in
            name.wrapped(to: room).enumerated().map { ($0 == 0 ? mark : "    ") + $1 }
        }
        let width = starts.joined().map(\.displayWidth).max() ?? 0
        let more = [[]] + ranked.map(\.remarks)
        return zip(zip(starts, figures), more).flatMap { line, more in
            [line.1.isEmpty ? line.0[0] : line.0[0].filled(to: width) + line.1] + line.0.dropFirst() + more
        }.joined(separator: "\n")
    }
}

extension SelectionResult.Row {
    // What stands below its line: the parts of an ensemble, and what went wrong.
    fileprivate var remarks: [String] {
        let fault =
            score == nil ? "failed: \(failure ?? "no metric")" : converged == false ? "not converged" : nil
        return (parts ?? []).flatMap { $0.name.hanging(after: "      \($0.weight.fixed(2)) × ") }
            + (fault.map { $0.hanging(after: "    ") } ?? [])
    }
}

/// A metric in few characters: three decimals, four digits from ten on; nothing for nil.
private func brief(_ value: Double?, isSigned: Bool = false) -> String {
    guard let value else { return "" }
    return abs(value) < 9.9995
        ? value.fixed(3, isSigned: isSigned) : value.significant(4, isSigned: isSigned)
}
