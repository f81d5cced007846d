// What evaluation, comparison and reports take: everything that one pass over a set gives.
public import Activations
public import Tensors

/// A set with what a probe says of each of its sequences.
public struct ScoredSet: Sendable {
    /// The probe.
    package let probe: Probe
    /// The sequences, with labels as the probe's task has them where there are any.
    public let data: ActivationSet
    /// Outputs and entropies of all sequences.
    public let scores: Scores
    /// Outputs of each sequence, O values.
    package let logits: [[Float]]
    /// Probabilities of each sequence; each empty for regression.
    public let probabilities: [[Float]]
    /// Predicted classes of each sequence: one for binary and multiclass, any number for multilabel, none for
    /// regression.
    public let predictions: [[Int]]
    /// Where the heads look; nil where it was not asked for, and for kinds without attention over a sequence.
    public let attention: AttentionSummary?

    /// - Precondition: the scores are of all sequences, whose labels, if any, are as the probe's task has them.
    package init(
        _ probe: Probe, _ data: ActivationSet, _ scores: Scores, attention: AttentionSummary? = nil
    ) {
        (self.probe, self.data, self.scores, self.attention) = (probe, data, scores, attention)
        logits = data.indices.map { Array(scores.logits[row: $0]) }
        probabilities = logits.map { probe.probabilities($0) }
        predictions = probabilities.map { probe.task.predictedClasses($0, threshold: probe.threshold) }
    }
}

extension Probe {
    /// Scores all sequences of a set in one pass over its hidden states.
    ///
    /// - Parameters:
    ///   - attention: whether to sum up where heads look, too.
    ///   - progress: is told the sequences of each chunk when they are scored.
    /// - Throws: `DataError` where there is no sequence, labels that there are, classes or width do not fit the
    ///   probe, a hidden state is NaN or infinite, or a file has become shorter.
    public func scored(
        _ data: ActivationSet, attention: Bool = false, threads: Int = Parallel.availableThreads,
        progress: (Range<Int>) throws -> Void = { _ in }
    ) throws -> ScoredSet {
        try pass(
            data.targets == nil ? data : labelled(data), attention: attention, threads: threads,
            progress: progress)
    }

    // The same of data whose labels, if any, are as the task has them.
    func pass(
        _ data: ActivationSet, attention: Bool, threads: Int, progress: (Range<Int>) throws -> Void
    ) throws -> ScoredSet {
        let (set, heads) = (ProbeSet([self]), configuration.heads)
        var parts: [Scores] = []
        func add(_ scores: [Scores]) throws {
            parts += scores
            try progress(scores[0].range)
        }
        guard attention, configuration.attends else {
            try set.forEachScores(data, threads: threads, add)
            return ScoredSet(self, data, Scores(joining: parts))
        }
        var tally = AttentionTally(heads: heads)
        try set.forEachScores(
            data, threads: threads,
            // A chunk bounds how much attention is in memory.
            chunkTokens: min(1 << 17, (1 << 21) / heads),
            keeping: { index, work in
                AttentionTally.Sequence(work.attention, heads: heads, tokens: data[index].count)
            }
        ) { scores, kept in
            for (index, sequence) in zip(scores[0].range, kept) { tally.add(sequence, data, index) }
            try add(scores)
        }
        try data.checkNothingLost(data.indices)
        return ScoredSet(
            self, data, Scores(joining: parts), attention: tally.summary(sequences: data.count))
    }
}
