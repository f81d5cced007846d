extension Metric {
    /// Mean squared error over all outputs (regression).
    public static let meanSquaredError = Metric(
        "mean squared error", key: "mean_squared_error", tasks: [.regression], isHigherBetter: false,
        isFraction: false
    ) { sample in
        guard case .numbers(let predictions, let targets) = sample.outcomes.form else { return nil }
        return sample.mean { i in
            let sum = targets.indices.reduce(0.0) { sum, o in
                let difference = Double(predictions[o][i]) - Double(targets[o][i])
                return sum + difference * difference
            }
            return sum / Double(targets.count)
        }
    }
}

/// Mean of (prediction - target)² over all elements (`mean_squared_error`).
///
/// - Precondition: as many predictions as targets, at least one.
package func meanSquaredError(_ predictions: [Float], _ targets: [Float]) -> Double {
    precondition(predictions.count == targets.count && !targets.isEmpty, "one prediction a target")
    let sum = zip(predictions, targets).reduce(0.0) {
        let difference = Double($1.0) - Double($1.1)
        return $0 + difference * difference
    }
    return sum / Double(targets.count)
}
