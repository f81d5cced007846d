// Plots as values: places in a drawing that `plot.mustache` turns into SVG. Beside it stands a
// table of the same numbers, for people who cannot see it and for those who want to copy them.
private import Tensors

/// A drawing with two axes.
struct Plot {
    let title: String
    /// What there is to see, for people who cannot.
    let description: String
    let table: Table
    /// Names the drawing in the page.
    let id: String
    private(set) var xLabel: String
    private(set) var yLabel: String
    private(set) var xTicks: [Tick]
    private(set) var yTicks: [Tick]
    private(set) var lines: [Line] = []
    private(set) var bars: [Bar] = []
    private(set) var dots: [Dot] = []
    private(set) var whiskers: [Segment] = []
    private(set) var legend: [LegendEntry] = []
    let height, middle, bottom, left, center: String

    struct Tick { let place, label: String }
    struct Line { let points, style: String }
    struct Bar { let x, y, width, height, style: String }
    struct Dot { let x, y, style: String }
    struct Segment { let x1, y1, x2, y2, style: String }
    struct LegendEntry { let label, style: String }

    private let x: Axis
    private let y: Axis
    // The drawing is 360 wide; the axes leave room for their labels.
    private static let right = 350.0, top = 12.0
    private let start, base: Double

    init(
        _ id: String, _ title: String, _ description: String, x: Axis, y: Axis, table: Table,
        height: Double = 280, xNames: [String]? = nil, yNames: [String]? = nil
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.table = table
        self.x = x
        self.y = y
        base = height - 44
        // Names have 6.2 units a character, and leave the plot two fifths at the least.
        start =
            yNames.map { names in
                min(206, max(130, 6 + 6.2 * Double(names.map(\.count).max() ?? 0)))
            } ?? 50
        left = number(start)
        center = number((start + Self.right) / 2)
        self.height = number(height)
        middle = number((Self.top + height - 44) / 2)
        bottom = number(height - 44)
        (xLabel, yLabel, xTicks, yTicks) = (x.label, y.label, [], [])
        xTicks =
            xNames.map { names in
                names.enumerated().map { Tick(place: number(px(Double($0) + 0.5)), label: $1) }
            } ?? x.ticks.map { Tick(place: number(px($0)), label: brief($0)) }
        yTicks =
            yNames.map { names in
                names.enumerated().map { Tick(place: number(py(Double($0) + 0.5)), label: $1) }
            } ?? y.ticks.map { Tick(place: number(py($0)), label: brief($0)) }
    }

    private func px(_ value: Double) -> Double { start + x.place(value) * (Self.right - start) }
    private func py(_ value: Double) -> Double { base - y.place(value) * (base - Self.top) }

    /// A line through points; with a name also in the legend.
    mutating func line(_ points: [(x: Double, y: Double)], _ style: String, _ name: String? = nil) {
        let places = points.map { "\(number(px($0.x))),\(number(py($0.y)))" }.joined(separator: " ")
        lines.append(Line(points: places, style: style))
        name.map { legend.append(LegendEntry(label: $0, style: style)) }
    }

    /// Bars from one height to another; with a name also in the legend.
    mutating func bars(
        _ bars: [(x: ClosedRange<Double>, y: ClosedRange<Double>)], _ style: String, _ name: String? = nil
    ) {
        for bar in bars {
            let (left, right) = (px(bar.x.lowerBound), px(bar.x.upperBound))
            let (top, bottom) = (py(bar.y.upperBound), py(bar.y.lowerBound))
            self.bars.append(
                Bar(
                    x: number(left), y: number(top), width: number(right - left),
                    height: number(bottom - top), style: style))
        }
        name.map { legend.append(LegendEntry(label: $0, style: style)) }
    }

    /// Dots; with a name also in the legend.
    mutating func dots(_ points: [(x: Double, y: Double)], _ style: String, _ name: String? = nil) {
        dots += points.map { Dot(x: number(px($0.x)), y: number(py($0.y)), style: style) }
        name.map { legend.append(LegendEntry(label: $0, style: style)) }
    }

    /// A line from one point to another, as intervals have.
    mutating func whisker(_ from: (x: Double, y: Double), _ to: (x: Double, y: Double), _ style: String) {
        whiskers.append(
            Segment(
                x1: number(px(from.x)), y1: number(py(from.y)), x2: number(px(to.x)), y2: number(py(to.y)),
                style: style))
    }
}

// A place in a drawing, to a hundredth.
private func number(_ value: Double) -> String {
    let text = value.fixed(2)
    return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
}
