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

/// Coefficient of determination of one output: 1 - Σ w·(t - y)² / Σ w·(t - mean t)² (`r2_score`), with
/// the mean of targets weighted by w too.
///
/// - Parameter weights: w; nil for all alike.
/// - Returns: nil where the targets do not vary.
/// - Precondition: as many predictions as targets, and as weights, at least one.
public func r2Score(_ predictions: [Float], _ targets: [Float], weights: [Float]? = nil) -> Double? {
    precondition(predictions.count == targets.count && !targets.isEmpty, "one prediction a target")
    // Else rounding of a weighted mean may leave some variance.
    guard targets.contains(where: { $0 != targets[0] }) else { return nil }
    let typical = mean(targets.indices, weights: weights) { Double(targets[$0]) }
    let variance = mean(targets.indices, weights: weights) { i in
        let difference = Double(targets[i]) - typical
        return difference * difference
    }
    let error = mean(targets.indices, weights: weights) { i in
        let difference = Double(predictions[i]) - Double(targets[i])
        return difference * difference
    }
    return variance > 0 ? 1 - error / variance : nil
}
