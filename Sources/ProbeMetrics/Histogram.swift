/// How many values fall into each of some intervals of equal width.
package struct Histogram: Sendable, Equatable {
    /// The least value and the largest of all intervals together.
    package let range: ClosedRange<Double>
    /// How many values each interval has; a value on a border belongs to the upper one, the largest
    /// value to the last.
    package let counts: [Int]

    /// Counts values; those outside the range belong to its ends.
    ///
    /// - Parameter range: nil for the range of the values.
    /// - Precondition: there is a bin, values are finite, and without a range there is a value.
    package init(_ values: [Double], bins: Int, range: ClosedRange<Double>? = nil) {
        let range = range ?? values.min()!...values.max()!
        let width = range.upperBound - range.lowerBound
        var counts = [Int](repeating: 0, count: bins)
        for value in values {
            let place = width > 0 ? (value - range.lowerBound) / width : 0
            counts[min(bins - 1, max(0, Int(place * Double(bins))))] += 1
        }
        self.range = range
        self.counts = counts
    }

    /// The borders of one interval.
    package func interval(_ bin: Int) -> ClosedRange<Double> {
        let width = (range.upperBound - range.lowerBound) / Double(counts.count)
        return range.lowerBound + Double(bin) * width...range.lowerBound + Double(bin + 1) * width
    }
}
