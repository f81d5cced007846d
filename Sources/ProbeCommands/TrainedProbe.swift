package import AttentionProbes

/// A probe that was fitted, and how it came about.
package struct TrainedProbe {
    package let probe: Probe
    // How many it is the average of, and of how many it was to be.
    let trainings: Int
    let of: Int
    package let stop: TrainingStop
    // Of several that are averaged the last.
    let last: Trainer.Result
    let best: TrainingProgress

    static let nothingToSave = "interrupted before there was anything to save"

    /// What is to be said of the training; nil where all is well.
    package var warning: String? {
        guard let first = last.history.first, !(best.loss <= first.loss) else { return nil }
        return "warning: the loss rose from \(significant(first.loss)) to \(significant(best.loss)); "
            + "a lower --learning-rate may help"
    }

    /// How the training ended, in a sentence.
    func sentence(_ path: String) -> String {
        let validationLoss = best.validationLoss.map { ", validation \(significant($0))" } ?? ""
        let part = best.fraction < 1 ? "\(Int((100 * best.fraction).rounded())) % of " : ""
        if trainings < of, best.fraction == 1, last.stop != .interrupted {
            return "\(stop.rawValue): saved \(path), the average of \(trainings) of \(of) trainings, "
                + "loss \(significant(best.loss))\(validationLoss)"
        }
        return "\(stop.rawValue): saved \(path) as of \(part)round \(best.epoch), "
            + "loss \(significant(best.loss))\(validationLoss)"
    }

    /// How to get a threshold that was chosen, in a sentence; nil for a task without thresholds.
    var advice: String? {
        guard last.probe.task.isBinary else { return nil }
        return "its threshold is 0.5 and its probabilities are not calibrated: --select chooses both by "
            + "cross-validation, attnprobe calibrate with other labelled data"
    }

    /// What is said of it.
    ///
    /// - Parameter path: where it was written; nil for nowhere.
    package func summary(_ path: String?) -> some Encodable { Summary(self, path) }

    private struct Summary: Encodable {
        let probe: String?
        let stop: String
        let epoch: Int
        let epochs_run: Int
        let loss, penalty: Double
        let validation_loss: Double?
        let training_sequences, validation_sequences: Int
        let task: String
        let positive: String?

        init(_ trained: TrainedProbe, _ path: String?) {
            let (last, best) = (trained.last, trained.best)
            probe = path
            stop = trained.stop.rawValue
            epoch = best.epoch
            epochs_run = last.history.count
            (loss, penalty, validation_loss) = (best.loss, best.penalty, best.validationLoss)
            training_sequences = last.trainingCount
            validation_sequences = last.validationCount
            (task, positive) = (last.probe.task.name, last.probe.task.positiveClass)
        }
    }
}
