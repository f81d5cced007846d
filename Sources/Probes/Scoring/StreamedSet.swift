// Binary probes judged as they are deployed: by the scores of all prefixes of a sequence (`StreamingMetrics`).
public import Activations
public import ProbeMetrics
public import Tensors

/// A set with what a probe of two classes says of its sequences while they are read.
public struct StreamedSet: Sendable {
    /// The probe.
    package let probe: Probe
    /// The sequences, with labels as the probe's task has them where there are any.
    package let data: ActivationSet
    package let sequences: [StreamedSequence]

    /// The largest probability of any prefix of each sequence.
    public var probabilities: [Float] { sequences.map { probe.probability($0.largestLogit) } }
    /// The largest logit of any prefix of each sequence.
    package var largestLogits: [Float] { sequences.map(\.largestLogit) }
    /// The tokens of each sequence that had been read when the probability first reached the probe's threshold; nil
    /// where it never did.
    public var firstFlags: [Int?] { sequences.map(\.firstFlag) }

    /// How the probe does as a monitor with its threshold; nil without labels. Labels between two classes are cut at
    /// 0.5.
    ///
    /// - Throws: `DataError` where labels do not fit the probe.
    public func metrics() throws -> StreamingMetrics? {
        guard data.targets != nil, let labels = try data.targets(for: probe.task).hardClasses else {
            return nil
        }
        return StreamingMetrics(sequences, isPositive: labels.map { $0 == 1 }, threshold: probe.threshold)
    }
}

extension Probe {
    /// Scores every prefix of every sequence of a set.
    ///
    /// - Parameter progress: is told the sequences of each chunk when they are scored.
    /// - Throws: `DataError` where the task is not binary, the kind cannot be scored token by token, there is no
    ///   sequence, labels that there are, classes or width do not fit the probe, a hidden state is NaN or infinite, or
    ///   a file has become shorter.
    public func streamed(
        _ data: ActivationSet, threads: Int = Parallel.availableThreads,
        progress: (Range<Int>) throws -> Void = { _ in }
    ) throws -> StreamedSet {
        let data = data.targets == nil ? data : try labelled(data)
        return StreamedSet(
            probe: self, data: data,
            sequences: try streamedSequences(data, threads: threads, progress: progress))
    }

    /// The same for sequences whose labels are not looked at.
    package func streamedSequences(
        _ data: ActivationSet, threads: Int, progress: (Range<Int>) throws -> Void = { _ in }
    ) throws -> [StreamedSequence] {
        try ProbeSet([self]).checkFits(data)
        guard task.isBinary else {
            throw DataError(
                .mismatch, "the probe", "its task", expected: "two classes, to flag one", found: task.name)
        }
        let scorer = try TokenScorer([self], tellsDetails: false)
        var sequences: [StreamedSequence] = []
        try data.forEachChunk(tokens: 1 << 17) { range, readAhead in
            sequences += try Parallel.map(
                count: range.count, threads: threads, workspace: TokenScorer.Workspace.init
            ) { offset, work in
                let index = range.lowerBound + offset
                defer { readAhead.advance(data.byteCount(index)) }
                return try sequence(data, index, scorer, &work)
            }
            try data.checkNothingLost(range)
            try progress(range)
        }
        return sequences
    }

    /// Of a sequence the probability of every prefix, NaN before the first token that the probe may look at; nil where
    /// the task is not binary, or the kind cannot be scored token by token.
    package func prefixProbabilities(_ data: ActivationSet, sequence index: Int) throws -> [Float]? {
        guard task.isBinary, let scorer = try? TokenScorer([self], tellsDetails: false) else { return nil }
        var work = TokenScorer.Workspace()
        var values: [Float] = []
        try scorer.score(data, index, &work) { _, logits in
            values += logits.map { $0.isNaN ? .nan : probability($0) }
        } details: { _, _, _ in
        }
        return values
    }

    private func sequence(
        _ data: ActivationSet, _ index: Int, _ scorer: TokenScorer, _ work: inout TokenScorer.Workspace
    ) throws -> StreamedSequence {
        var sequence = StreamedSequence(tokens: data.length(index))
        try scorer.score(data, index, &work) { positions, logits in
            // NaN before the first token that the probe may look at.
            for (position, logit) in zip(positions, logits) where !logit.isNaN {
                sequence.lastLogit = logit
                // Probabilities rise with logits, so that a first flag comes with a logit above all before it.
                guard logit > sequence.largestLogit else { continue }
                sequence.largestLogit = logit
                if sequence.firstFlag == nil, Double(probability(logit)) >= threshold {
                    sequence.firstFlag = position + 1
                }
            }
        } details: { _, _, _ in
        }
        sequence.isFlaggedAtTheEnd = Double(probability(sequence.lastLogit)) >= threshold
        return sequence
    }

    // Of the positive class of two.
    fileprivate func probability(_ logit: Float) -> Float { probabilities(CollectionOfOne(logit))[0] }
}
