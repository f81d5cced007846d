/// How sure a probe was of each sequence, and whether that came true: of the second class (binary), or of the
/// predicted one (multiclass).
struct Confidences: Sendable {
    let values: [Float]
    let isRight: [Bool]
    // What each sequence adds to the Brier score.
    let errors: [Double]

    /// - Parameters:
    ///   - probabilities: one value a sequence for two classes, else one a class.
    ///   - predictions: the class of each sequence.
    init(_ probabilities: [[Float]], predictions: [Int], labels: [Int]) {
        values = probabilities.map { $0.count == 1 ? $0[0] : $0.max() ?? 0 }
        isRight = labels.indices.map {
            probabilities[$0].count == 1 ? labels[$0] == 1 : labels[$0] == predictions[$0]
        }
        errors = zip(probabilities, labels).map { brierError($0, $1) }
    }

    /// The bins of a reliability diagram of all.
    var bins: [ReliabilityBin] { ReliabilityBin.bins(values, isRight) }
}
