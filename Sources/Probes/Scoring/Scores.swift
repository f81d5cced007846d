public import Tensors
public import Activations

/// What a probe says about some sequences of a set.
public struct Scores: Sendable {
    /// The sequences, by their number in the set.
    public let range: Range<Int>
    /// Outputs, one row a sequence: (range.count)×O.
    public let logits: Matrix
    /// Entropy of each head's attention in nats, (range.count)×H; nil for probes without softmax
    /// attention.
    public let entropies: Matrix?

    package init(range: Range<Int>, logits: Matrix, entropies: Matrix?) {
        self.range = range
        self.logits = logits
        self.entropies = entropies
    }

    // Chunks that follow each other, at least one.
    package init(joining parts: [Scores]) {
        range = parts[0].range.lowerBound..<parts[parts.count - 1].range.upperBound
        logits = Matrix(joining: parts.map(\.logits))
        entropies = parts[0].entropies.map { _ in Matrix(joining: parts.map { $0.entropies! }) }
    }
}

extension Probe {
    /// Scores the sequences of a range; all by default. See `ProbeSet`, also for several probes.
    ///
    /// - Precondition: the range is within the set.
    /// - Throws: `DataError` where widths differ, there is no sequence in the set, a hidden state is NaN or
    ///   infinite, or a file has become shorter.
    public func scores(
        _ data: ActivationSet, _ range: Range<Int>? = nil, threads: Int = Parallel.availableThreads
    ) throws -> Scores {
        try ProbeSet([self]).scores(data, range, threads: threads)[0]
    }

    /// Attention of each head over the unmasked tokens of one sequence, H×n, and the tokens'
    /// positions; nil for probes without attention.
    ///
    /// - Precondition: the sequence is one of the set.
    /// - Throws: `DataError` where widths differ, a hidden state is NaN or infinite, or a file has become shorter.
    public func attention(_ data: ActivationSet, sequence index: Int) throws -> (
        weights: Matrix, positions: [Int]
    )? {
        let work = try forward(data, sequence: index)
        let sequence = data[index]
        return attention(work, tokens: sequence.count).map {
            ($0, (0..<sequence.count).map(sequence.position))
        }
    }

    /// Takes the probe forward over one sequence.
    func forward(_ data: ActivationSet, sequence index: Int) throws -> Workspace {
        let set = ProbeSet([self])
        try set.checkFits(data)
        try data.checkLengths(index..<index + 1)
        var work = Workspace()
        do {
            try set.forward(data[index], &work)
        } catch {
            throw data.projectionError(in: index)
        }
        return work
    }

    /// Attention that `forward` has left, H×n; nil for probes without attention.
    func attention(_ work: Workspace, tokens n: Int) -> Matrix? {
        guard configuration.attends else { return nil }
        let heads = configuration.heads
        return Matrix(rows: heads, columns: n, storage: Array(work.attention[..<(heads * n)]))
    }
}
