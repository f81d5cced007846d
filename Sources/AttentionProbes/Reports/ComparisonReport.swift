private import Foundation

/// A page that draws a comparison: of every set of data the probes against the baseline, with the
/// entropy of their attention beside it.
public struct ComparisonReport: Sendable {
    /// The page.
    public let html: String

    /// Makes the page.
    public init(_ comparison: Comparison, title: String = "Probes compared") throws {
        let content = Content(
            title: title,
            subtitle: comparison.dataSets.count == 1
                ? "one set of data" : "\(comparison.dataSets.count) sets of data",
            sets: comparison.dataSets.enumerated().map { ComparedSet($1, number: $0) })
        html = try Page.html(title, template: "comparison", content, data: nil)
    }

    /// Writes the page, beside its target and renamed when it is whole.
    ///
    /// - Throws: `SystemError`.
    public func write(to path: String) throws { try Page.write(html, to: path) }

    private struct Content {
        let title, subtitle: String
        let sets: [ComparedSet]
    }
}

// One set of data with the names that `comparison.mustache` uses.
private struct ComparedSet {
    let id, name, baseline: String
    let isEmpty: Bool
    let plots: [Plot]
    let table: Table

    init(_ set: Comparison.DataSet, number: Int) {
        id = "set-\(number)"
        name = set.name
        baseline = set.baseline
        isEmpty = set.rows.isEmpty
        // The best at the top.
        let rows = set.rows.sorted { ($0.value, $1.name) > ($1.value, $0.name) }
        table = Self.table(set, rows)
        plots =
            rows.isEmpty
            ? []
            : [Self.values(id, set, rows, table), Self.differences(id, set, rows), Self.entropies(id, rows)]
                .compactMap(\.self)
    }

    private static func table(_ set: Comparison.DataSet, _ rows: [Comparison.Row]) -> Table {
        return Table(
            "\(set.metric) on \(set.name)",
            [
                "probe", set.metric, "95 % from", "95 % to", "less \(set.baseline)", "difference from",
                "difference to", "entropy ratio",
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
        name.count <= 20 ? name : name.prefix(19) + "…"
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
            "\(set.metric) of each probe with its interval. The best is \(rows[0].name) with \(fixed(rows[0].value)).",
            rows, Axis(numbers.min()!...numbers.max()!, set.metric, ticks: 4, isRounded: true), table)
        if let baseline = rows.first(where: { $0.name == set.baseline }) {
            plot.line(
                [(baseline.value, 0), (baseline.value, Double(rows.count))], "limit",
                "baseline \(set.baseline)")
        }
        for (index, row) in rows.enumerated() {
            let (y, style) = (level(index, rows), row.name == set.baseline ? "muted" : "accent")
            if let low = row.low, let high = row.high {
                plot.whisker((low, y), (high, y), "whisker \(style)")
            }
            plot.dots([(row.value, y)], style)
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
            min(0, numbers.min()!)...max(0, numbers.max()!), "\(set.metric) less that of \(set.baseline)",
            ticks: 4,
            isRounded: true)
        let surely = compared.count { $0.differenceLow ?? -.infinity > 0 }
        var plot = plot(
            "\(id)-differences", "Against \(set.baseline)",
            "What each probe has more than the baseline, with the interval of the difference; "
                + "\(surely) of \(compared.count) are above it with all of their interval.", rows, axis,
            Table(
                "\(set.metric) less that of \(set.baseline) on \(set.name)",
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
                + "attention have none.", rows, .share("entropy ratio"),
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
