extension Metric {
    /// Coefficient of determination (`r2Score`), mean over outputs that vary (regression).
    public static let r2 = Metric("R²", key: "r2", tasks: [.regression]) { sample in
        guard case .numbers(let predictions, let targets) = sample.outcomes.form else { return nil }
        let weights = sample.weights.map(sample.selecting)
        return mean(
            zip(predictions, targets).compactMap {
                r2Score(sample.selecting($0), sample.selecting($1), weights: weights)
            })
    }
}

/// Coefficient of determination of one output: 1 - Σ w·(t - y)² / Σ w·(t - mean t)² (`r2_score`), with
/// the mean of targets weighted by w too.
///
/// - Parameter weights: w; nil for all alike.
/// - Returns: nil where the targets do not vary.
/// - Precondition: as many predictions as targets, and as weights, at least one.
package func r2Score(_ predictions: [Float], _ targets: [Float], weights: [Float]? = nil) -> Double? {
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
