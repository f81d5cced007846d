// How well probabilities agree with what happens.

/// The mean squared difference of probability and outcome (`brier_score_loss`): for two classes of the
/// second's probability, for more Σ_c (p_c - y_c)² over the classes.
///
/// - Parameters:
///   - probabilities: one value a sequence for two classes, else one a class.
///   - labels: class indices.
public func brierScore(_ probabilities: [[Float]], _ labels: [Int]) -> Double {
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

/// The expected calibration error: predictions are put into ten bins of equal width by their
/// confidence, and of each bin the difference between mean confidence and accuracy counts by its size
/// (Naeini et al., 2015; Guo et al., 2017).
///
/// For two classes the confidence is the second's probability, and accuracy the share of that class,
/// so that both ends of the scale are checked.
///
/// - Parameters:
///   - confidences: from 0 to 1.
///   - isRight: whether what the confidence is about came true.
public func expectedCalibrationError(_ confidences: [Float], _ isRight: [Bool]) -> Double {
    let bins = ReliabilityBin.bins(confidences, isRight)
    let sum = bins.reduce(0) { $0 + Double($1.count) * abs($1.confidence - $1.share) }
    return sum / Double(max(1, isRight.count))
}
