import ProbeMetrics
public import ProbeSelection

/// A page that draws a comparison: of every set of data the probes against the baseline, with the
/// entropy of their attention beside it.
public struct ComparisonReport: Sendable {
    /// The page.
    public let html: String

    /// Makes the page.
    public init(_ comparison: Comparison, title: String = "Probes compared") throws {
        let sets = comparison.dataSets.enumerated().map { ComparedSet($1, number: $0) }
        var page = try Page(
            title, kind: "Comparison", heading: title,
            subtitle: sets.count == 1 ? "one set of data" : "\(sets.count) sets of data",
            contents: "Sets of data", sets.map { Page.Link(id: $0.id, name: $0.name) })
        try page.append("comparison", Content(transfer: Transfer(comparison.transfer), sets: sets))
        html = try page.html()
    }

    /// Writes the page, beside its target and renamed when it is whole.
    ///
    /// - Throws: `SystemError`.
    public func write(to path: String) throws { try Page.write(html, to: path) }

    private struct Content {
        let transfer: Transfer?
        let sets: [ComparedSet]
    }

    // Every set with every set, a table a probe; nil where the comparison has no such.
    private struct Transfer {
        let tables: [Table]

        init?(_ matrices: [TransferMatrix]) {
            guard !matrices.isEmpty else { return nil }
            tables = matrices.map { matrix in
                Table(
                    "\(matrix.metric) of \(matrix.name.isolated), rows trained on, columns judged by",
                    ["trained on"] + matrix.sets,
                    zip(matrix.sets, matrix.cells).map { name, cells in
                        [name]
                            + cells.map { cell in
                                guard let value = cell.value else { return "failed" }
                                return fixed(value)
                                    + (cell.low.map { " (\(fixed($0)) to \(fixed(cell.high)))" } ?? "")
                            }
                    })
            }
        }
    }
}

// One set of data with the names that `comparison.mustache` uses.
private struct ComparedSet {
    let id, name, baseline: String
    /// What was trained on and judged by; nil where it is not known.
    let origin: String?
    let isEmpty: Bool
    let plots: [Plot]
    /// What to know before its numbers are read: what failed, and why the metric says nothing here.
    let remarks: [String]
    let tables: [Table]
    let controls: Controls?

    /// What controls reach, and what each of them says.
    struct Controls {
        let tables: [Table]
        let meanings: [Meaning]
        struct Meaning { let name, text: String }
    }

    init(_ set: Comparison.DataSet, number: Int) {
        id = "set-\(number)"
        name = set.name
        baseline = set.baseline
        origin = set.test.map { test in
            let training = set.training?.isolated ?? "other data"
            return set.crossValidated == true
                ? "Trained on \(training) and judged by it, each sequence by probes of folds that did not see it."
                : "Trained on \(training), judged by \(test.isolated)."
        }
        isEmpty = set.rows.isEmpty
        // The best at the top, those without a metric at the end.
        let rows = set.rows.sorted {
            ($0.value ?? -.infinity, $1.name) > ($1.value ?? -.infinity, $0.name)
        }
        let table = Self.table(set, rows)
        remarks =
            (set.unseen.map { [$0 + "."] } ?? [])
            + rows.compactMap { row in row.failure.map { "\(row.name.isolated) failed: \($0)" } }
        tables = [table, Self.candidates(set, rows)].compactMap(\.self)
        controls = Self.controls(set, rows)
        // Of several layers of a probe the one that is chosen stands for it beside the others.
        let drawn = rows.filter { $0.value != nil && ($0.layers == nil || $0.chosen == true) }
        plots =
            set.layerPlots(id)
            + (drawn.isEmpty
                ? []
                : [
                    Self.values(id, set, drawn, table), Self.differences(id, set, drawn),
                    Self.entropies(id, drawn),
                ].compactMap(\.self))
    }

    // What each was selected from; nil where nothing is known of that.
    private static func candidates(_ set: Comparison.DataSet, _ rows: [Comparison.Row]) -> Table? {
        func text(_ value: Double?) -> String { value.map { fixed($0, 4) } ?? "–" }
        let cells = rows.flatMap { row in
            (row.candidates ?? []).map { candidate in
                [
                    row.name, candidate.name, candidate.remark, text(candidate.score), text(candidate.low),
                    text(candidate.high), fixed(candidate.seconds, 1),
                ]
            }
        }
        guard !cells.isEmpty else { return nil }
        return Table(
            "Candidates by cross-validation on \((set.training ?? set.name).isolated)",
            ["probe", "candidate", "remark", set.metric, "folds from", "to", "seconds"], names: 3, cells)
    }

    private static func controls(_ set: Comparison.DataSet, _ rows: [Comparison.Row]) -> Controls? {
        guard let controls = set.controls else { return nil }
        let reached = Table(
            "\(set.metric) of controls on \(set.name.isolated)", ["control", set.metric, "95 % from", "to"],
            controls.map { [$0.name, fixed($0.value, 4), fixed($0.low, 4), fixed($0.high, 4)] })
        let above = set.bestControl.map { best in
            Table(
                "\(set.metric) above the best control, \(best), on \(set.name.isolated)",
                ["probe", "above", "95 % from", "to"],
                rows.map {
                    [
                        $0.name, fixed($0.aboveControl, 4), fixed($0.aboveControlLow, 4),
                        fixed($0.aboveControlHigh, 4),
                    ]
                })
        }
        return Controls(
            tables: [above, reached].compactMap(\.self),
            meanings: controls.map { row in
                Controls.Meaning(
                    name: row.name,
                    text: (Control(rawValue: row.name)?.meaning ?? "")
                        + (row.failure.map { " Here it could not be had: \($0)." } ?? ""))
            })
    }

    private static func table(_ set: Comparison.DataSet, _ rows: [Comparison.Row]) -> Table {
        Table(
            "\(set.metric) on \(set.name.isolated)",
            [
                "probe", set.metric, "95 % from", "95 % to", "difference to \(set.baseline.isolated)",
                "its 95 % from", "its 95 % to", "entropy ratio",
            ],
            rows.map {
                [
                    $0.name, fixed($0.value, 4), fixed($0.low, 4), fixed($0.high, 4), fixed($0.difference, 4),
                    fixed($0.differenceLow, 4), fixed($0.differenceHigh, 4), fixed($0.entropyRatio, 4),
                ]
            })
    }

    // A drawing with a line of its own for every probe.
    private static func plot(
        _ id: String, _ title: String, _ description: String, _ rows: [Comparison.Row], _ axis: Axis,
        _ table: Table
    ) -> Plot {
        Plot(
            id, title, description, x: axis, y: Axis(0...Double(rows.count), ""), table: table,
            height: 64 + 24 * Double(rows.count), yNames: rows.reversed().map { shortened($0.name) })
    }

    private static func shortened(_ name: String) -> String {
        name.count <= 32 ? name : name.prefix(31) + "…"
    }

    // Where a row's line is, counted from below.
    private static func level(_ index: Int, _ rows: [Comparison.Row]) -> Double {
        Double(rows.count - index) - 0.5
    }

    private static func values(
        _ id: String, _ set: Comparison.DataSet, _ rows: [Comparison.Row], _ table: Table
    ) -> Plot {
        let numbers = rows.flatMap { [$0.value, $0.low, $0.high].compactMap(\.self) }
        var plot = plot(
            "\(id)-values", set.metric,
            "\(set.metric) of each probe with its interval. The best is \(rows[0].name.isolated) with \(fixed(rows[0].value!)).",
            rows, Axis(numbers.min()!...numbers.max()!, set.metric, ticks: 4, isRounded: true), table)
        if let baseline = rows.first(where: { $0.name == set.baseline })?.value {
            plot.line(
                [(baseline, 0), (baseline, Double(rows.count))], "limit",
                "baseline \(set.baseline.isolated)")
        }
        for (index, row) in rows.enumerated() {
            let (y, style) = (level(index, rows), row.name == set.baseline ? "muted" : "accent")
            if let low = row.low, let high = row.high {
                plot.whisker((low, y), (high, y), "whisker \(style)")
            }
            plot.dots([(row.value!, y)], style)
        }
        return plot
    }

    private static func differences(
        _ id: String, _ set: Comparison.DataSet, _ rows: [Comparison.Row]
    ) -> Plot? {
        let compared = rows.filter { $0.difference != nil }
        guard !compared.isEmpty else { return nil }
        let numbers = compared.flatMap {
            [$0.difference, $0.differenceLow, $0.differenceHigh].compactMap(\.self)
        }
        let axis = Axis(
            min(0, numbers.min()!)...max(0, numbers.max()!),
            "difference to \(set.baseline.isolated)", ticks: 4, isRounded: true)
        let surely = compared.count { $0.differenceLow ?? -.infinity > 0 }
        var plot = plot(
            "\(id)-differences", "Difference to \(set.baseline.isolated)",
            "What each probe has more than the baseline, with the interval of the difference; "
                + "\(surely) of \(compared.count) are above it with all of their interval.", rows, axis,
            Table(
                "\(set.metric) on \(set.name.isolated), difference to \(set.baseline.isolated)",
                ["probe", "difference", "95 % from", "to"],
                compared.map {
                    [
                        $0.name, fixed($0.difference, 4), fixed($0.differenceLow, 4),
                        fixed($0.differenceHigh, 4),
                    ]
                }))
        plot.line([(0, 0), (0, Double(rows.count))], "limit", "no difference")
        for (index, row) in rows.enumerated() {
            guard let difference = row.difference else { continue }
            let y = level(index, rows)
            let style = difference >= 0 ? "positive" : "negative"
            if let low = row.differenceLow, let high = row.differenceHigh {
                plot.whisker((low, y), (high, y), "whisker \(style)")
            }
            plot.dots([(difference, y)], style)
        }
        return plot
    }

    private static func entropies(_ id: String, _ rows: [Comparison.Row]) -> Plot? {
        guard rows.contains(where: { $0.entropyRatio != nil }) else { return nil }
        var plot = plot(
            "\(id)-entropy", "Entropy",
            "The mean entropy ratio of the heads: 1 looks everywhere alike, 0 at one token. Probes without "
                + "attention have none.", rows, .fraction("entropy ratio"),
            Table(
                "Entropy ratio", ["probe", "entropy ratio"],
                rows.map { [$0.name, brief($0.entropyRatio)] }))
        for (index, row) in rows.enumerated() {
            guard let ratio = row.entropyRatio else { continue }
            let y = level(index, rows)
            plot.bars([(x: 0...min(1, max(0, ratio)), y: y - 0.22...y + 0.22)], "accent")
        }
        return plot
    }
}

extension SelectionResult.Row {
    fileprivate var remark: String {
        [
            chosen == true ? "chosen" : nil,
            failure.map { "failed: \($0)" } ?? (converged == false ? "not converged" : nil),
        ]
        .compactMap(\.self).joined(separator: ", ")
    }
}
