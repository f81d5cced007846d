/// The mean; nil of nothing.
package func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}

/// Σ w·value / Σ w over some rows.
///
/// - Parameter weights: w of every row, positive; nil for all alike.
/// - Precondition: there is a row.
package func mean(
    _ rows: some Collection<Int>, weights: [Float]?, _ value: (Int) -> Double
) -> Double {
    let weight = { (row: Int) in weights.map { Double($0[row]) } ?? 1 }
    return rows.reduce(0) { $0 + weight($1) * value($1) } / rows.reduce(0) { $0 + weight($1) }
}
