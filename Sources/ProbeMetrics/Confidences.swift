import Activations

/// How sure a probe was of each sequence, and whether that came true: of the second class (binary), or of the
/// predicted one (multiclass).
struct Confidences: Sendable {
    let values: [Float]
    /// 1 where it came true, else 0; of soft labels how probable that is.
    let outcomes: [Float]
    // What each sequence adds to the Brier score.
    let errors: [Double]

    /// - Parameters:
    ///   - probabilities: one value a sequence for two classes, else one a class.
    ///   - predictions: the class of each sequence.
    /// - Precondition: targets are classes, or probabilities.
    init(_ probabilities: [[Float]], predictions: [Int], _ targets: Targets) {
        values = probabilities.map { $0.count == 1 ? $0[0] : $0.max() ?? 0 }
        outcomes = probabilities.indices.map {
            if probabilities[$0].count == 1 { return Float(targets[$0].probability) }
            return targets[$0].hardClass == predictions[$0] ? 1 : 0
        }
        errors = probabilities.indices.map { i in
            if case .probability(let outcome) = targets[i] {
                let difference = Double(probabilities[i][0]) - Double(outcome)
                return difference * difference
            }
            return brierError(probabilities[i], targets[i].classIndex)
        }
    }

    /// The bins of a reliability diagram of all.
    var bins: [ReliabilityBin] { ReliabilityBin.bins(values, outcomes: outcomes) }
}
