/// Mean of (prediction - target)² over all elements (`mean_squared_error`).
///
/// - Precondition: as many predictions as targets, at least one.
public func meanSquaredError(_ predictions: [Float], _ targets: [Float]) -> Double {
    precondition(predictions.count == targets.count && !targets.isEmpty, "one prediction a target")
    let sum = zip(predictions, targets).reduce(0.0) {
        let difference = Double($1.0) - Double($1.1)
        return $0 + difference * difference
    }
    return sum / Double(targets.count)
}

/// Coefficient of determination of one output: 1 - Σ(t - y)² / Σ(t - mean t)² (`r2_score`).
///
/// - Returns: nil where the targets do not vary.
/// - Precondition: as many predictions as targets, at least one.
public func r2Score(_ predictions: [Float], _ targets: [Float]) -> Double? {
    let mean = targets.reduce(0) { $0 + Double($1) } / Double(targets.count)
    let variance =
        targets.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(targets.count)
    return variance > 0 ? 1 - meanSquaredError(predictions, targets) / variance : nil
}
