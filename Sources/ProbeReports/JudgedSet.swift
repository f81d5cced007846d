// A scored set as a report shows it: how sure each prediction is, whether it is right, and from which logit on a
// class counts as present.
private import Glibc
import Activations
import Probes

/// A scored set with a judgement of each sequence.
struct JudgedSet {
    let scored: ScoredSet
    let judgements: [Judgement]
    /// The logit from which on a class counts as present; nil where the task has no threshold.
    let limit: Float?

    /// nil where the data have no labels.
    var targets: Targets? { scored.data.targets }
    var logits: [[Float]] { scored.logits }
    var probabilities: [[Float]] { scored.probabilities }
    var predictions: [[Int]] { scored.predictions }

    init(_ scored: ScoredSet) {
        self.scored = scored
        let task = scored.probe.task
        let limit =
            task.hasThreshold ? Self.limit(scored.probe, scored.logits, scored.predictions) : nil
        self.limit = limit
        judgements = scored.data.indices.map {
            Judgement(
                task, scored.logits[$0], predicted: scored.predictions[$0],
                target: scored.data.targets?[$0], limit: limit ?? 0)
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
