package import AttentionProbes

/// Who waits for a piece of work: what they are told, and asked.
package struct Watch: Sendable {
    /// Takes a line for people.
    package var note: @Sendable (String) -> Void
    /// Takes how far the work is; from any thread, one call at a time.
    package var progress: @Sendable (WorkProgress) -> Void
    /// Whether the work is to stop; asked from any thread.
    package var isInterrupted: @Sendable () -> Bool
    /// Told what is said if the work were ended now; nil where that would lose something.
    package var mayEnd: @Sendable (String?) -> Void

    package init(
        note: @escaping @Sendable (String) -> Void, progress: @escaping @Sendable (WorkProgress) -> Void,
        isInterrupted: @escaping @Sendable () -> Bool = { false },
        mayEnd: @escaping @Sendable (String?) -> Void = { _ in }
    ) {
        (self.note, self.progress, self.isInterrupted, self.mayEnd) = (note, progress, isInterrupted, mayEnd)
    }
}

/// How far a piece of work is.
package enum WorkProgress {
    /// A training, which is the `number`th, from 0, of `count` that are averaged.
    case training(TrainingProgress, number: Int, count: Int, tokens: Int)
    /// The same between the epochs of one that takes long.
    case step(TrainingStep, number: Int, count: Int, tokens: Int)
    /// A selection.
    case selection(Selection.Progress)
    /// A pass over sequences.
    case scoring(ScoreProgress)
}

extension Watch {
    /// Follows a pass over a set: what takes the sequences of each chunk as they are done.
    ///
    /// - Throws: from what is returned, `CancellationError` where the work is to stop.
    func pass(over data: ActivationSet) -> (Range<Int>) throws -> Void {
        var done = ScoreProgress(data)
        return { range in
            done.add(range)
            progress(.scoring(done))
            if isInterrupted() { throw CancellationError() }
        }
    }

    /// Warns of metrics on what may be training data.
    func warnOfTraining(_ probe: Probe, _ data: ActivationSet) {
        guard data.targets != nil, let file = probe.trainingFile(in: data) else { return }
        note(
            "warning: the probe was trained on a file called \(file); if it is the same, metrics are too good"
        )
    }

    /// Says of probabilities for labels what is done with them.
    func noteSoftLabels(_ data: ActivationSet) {
        guard let targets = data.targets, targets.areSoft else { return }
        note(
            "labels are probabilities: losses take them as they are, and what needs classes cuts them at "
                + "\(Target.cut)")
    }

    /// Says that a threshold is used for another kind of look than it was set for.
    ///
    /// - Parameter name: what the probe is called.
    func noteThreshold(_ probe: Probe, _ name: String, streaming: Bool) {
        guard let rule = probe.thresholdRule, rule.isStreaming != streaming else { return }
        note(
            "\(name): "
                + (streaming
                    ? "the threshold is for finished sequences: more negatives reach it at some token than the "
                        + "\(significant(rule.falsePositiveRate)) that it was set for"
                    : "the threshold is for sequences that are looked at after every token (--streaming): finished ones "
                        + "reach it less often"))
    }
}
