// A set with what a probe says of each of its sequences.
private import Foundation

/// Outputs, predictions and labels, one a sequence.
struct ScoredSet {
    let logits: [[Float]]
    /// Each empty for regression.
    let probabilities: [[Float]]
    let predictions: [[Int]]
    /// nil where the data have no labels.
    let targets: Targets?
    let judgements: [Judgement]
    /// The logit from which on a class counts as present; nil where the task has no threshold.
    let limit: Float?

    init(_ probe: Probe, _ scores: Scores, targets: Targets?) {
        let task = probe.task
        let rows = (0..<scores.logits.rows).map { Array(scores.logits[row: $0]) }
        logits = rows
        let probabilities = rows.map { probe.probabilities($0) }
        let predictions = probabilities.map { task.predictedClasses($0, threshold: probe.threshold) }
        self.probabilities = probabilities
        self.predictions = predictions
        self.targets = targets
        let limit = task.hasThreshold ? Self.limit(probe, rows, predictions) : nil
        self.limit = limit
        judgements = rows.indices.map {
            Judgement(
                task, rows[$0], predicted: predictions[$0], target: targets?[$0], limit: limit ?? 0)
        }
    }

    // Between the highest logit that counts as absent and the lowest that counts as present, so that it
    // holds for any rising map from logits to probabilities; else that of the threshold itself.
    private static func limit(_ probe: Probe, _ logits: [[Float]], _ predictions: [[Int]]) -> Float {
        let isBinary = probe.task.isBinary
        var (absent, present) = (-Float.infinity, Float.infinity)
        for (row, predicted) in zip(logits, predictions) {
            for (o, logit) in row.enumerated() {
                if isBinary ? predicted == [1] : predicted.contains(o) {
                    present = min(present, logit)
                } else {
                    absent = max(absent, logit)
                }
            }
        }
        let odds = Float(log(probe.threshold / (1 - probe.threshold)))
        if odds > absent, odds <= present { return odds }
        if absent.isFinite, present.isFinite { return (absent + present) / 2 }
        return odds.isFinite ? odds : (absent.isFinite ? absent : present)
    }
}
