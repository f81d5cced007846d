// The scale of a plot's axis.
private import Glibc
private import Tensors

/// A range of values, and round numbers inside it to mark.
struct Axis {
    let range: ClosedRange<Double>
    let label: String
    let ticks: [Double]

    /// An axis with ticks at multiples of 1, 2 or 5 times a power of ten, about so many.
    ///
    /// - Parameter isRounded: whether the range grows to the next ticks.
    init(_ range: ClosedRange<Double>, _ label: String, ticks count: Int = 5, isRounded: Bool = false) {
        // A range of one value becomes one around it.
        let width = range.upperBound - range.lowerBound
        let half = width > 0 ? 0 : max(0.5, abs(range.lowerBound) * 0.1)
        var (lower, upper) = (range.lowerBound - half, range.upperBound + half)
        let raw = (upper - lower) / Double(count)
        let power = pow(10, floor(log10(raw)))
        let step = power * ([1, 2, 5].first { $0 * power >= raw * 0.999 } ?? 10)
        if isRounded { (lower, upper) = (floor(lower / step) * step, ceil(upper / step) * step) }
        let first = Int((lower / step - 1e-9).rounded(.up))
        let last = Int((upper / step + 1e-9).rounded(.down))
        self.range = lower...upper
        self.label = label
        ticks = first <= last ? (first...last).map { Double($0) * step } : []
    }

    /// 0 to 1.
    static func fraction(_ label: String) -> Axis { Axis(0...1, label) }

    /// Where a value is, 0 at the start and 1 at the end; not beyond.
    func place(_ value: Double) -> Double {
        min(1, max(0, (value - range.lowerBound) / (range.upperBound - range.lowerBound)))
    }
}

/// A number for people: so many significant digits at most, no needless zeros; a dash for none.
func brief(_ value: Double?, digits: Int = 4) -> String {
    value.map { $0.significant(digits) } ?? "–"
}

/// A fraction or score with three decimals, what is too large for them in four significant digits; a dash
/// for none.
func fixed(_ value: Double?, _ decimals: Int = 3) -> String {
    value.map { abs($0) < 1e4 ? $0.fixed(decimals) : brief($0) } ?? "–"
}
