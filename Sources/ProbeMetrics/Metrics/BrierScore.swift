extension Metric {
    /// See `brierScore` (binary, multiclass).
    public static let brierScore = Metric(
        "Brier score", key: "brier_score", tasks: [.binary, .multiclass], isHigherBetter: false
    ) { sample in
        sample.outcomes.confidences.map { confidences in
            let errors = confidences().errors
            return sample.mean { errors[$0] }
        }
    }
}

/// The mean squared difference of probability and outcome (`brier_score_loss`): for two classes of the
/// second's probability, for more Σ_c (p_c - y_c)² over the classes.
///
/// - Parameters:
///   - probabilities: one value a sequence for two classes, else one a class.
///   - labels: class indices.
package func brierScore(_ probabilities: [[Float]], _ labels: [Int]) -> Double {
    precondition(probabilities.count == labels.count, "one label a sequence")
    let sum = zip(probabilities, labels).reduce(0.0) { $0 + brierError($1.0, $1.1) }
    return sum / Double(max(1, labels.count))
}

/// What one sequence adds to that.
func brierError(_ p: [Float], _ label: Int) -> Double {
    p.indices.reduce(0.0) { sum, c in
        let outcome = p.count == 1 ? label == 1 : label == c
        let difference = Double(p[c]) - (outcome ? 1 : 0)
        return sum + difference * difference
    }
}
