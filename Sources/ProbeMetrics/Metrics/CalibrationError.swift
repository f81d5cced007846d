extension Metric {
    /// See `expectedCalibrationError` (binary, multiclass).
    public static let expectedCalibrationError = Metric(
        "calibration error", key: "expected_calibration_error", tasks: [.binary, .multiclass],
        isHigherBetter: false
    ) { sample in
        sample.outcomes.confidences.map { confidences in
            let all = confidences()
            return calibrationError(
                ReliabilityBin.bins(
                    sample.selecting(all.values), outcomes: sample.selecting(all.outcomes),
                    weights: sample.weights.map(sample.selecting)))
        }
    }
}

/// The expected calibration error: predictions are put into ten bins of equal width by their
/// confidence, and of each bin the difference between mean confidence and accuracy counts by its size
/// (Naeini et al., 2015; Guo et al., 2017).
///
/// For two classes the confidence is the second's probability, and accuracy the fraction of that class,
/// so that both ends of the scale are checked.
///
/// - Parameters:
///   - confidences: from 0 to 1.
///   - isRight: whether what the confidence is about came true.
///   - weights: how much each counts; nil for all alike.
package func expectedCalibrationError(
    _ confidences: [Float], _ isRight: [Bool], weights: [Float]? = nil
) -> Double {
    calibrationError(ReliabilityBin.bins(confidences, isRight, weights: weights))
}

private func calibrationError(_ bins: [ReliabilityBin]) -> Double {
    let sum = bins.reduce(0) { $0 + $1.weight * abs($1.confidence - $1.fraction) }
    return bins.isEmpty ? 0 : sum / bins.reduce(0) { $0 + $1.weight }
}
