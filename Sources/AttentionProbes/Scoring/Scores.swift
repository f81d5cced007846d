public import Tensors

/// What a probe says about some sequences of a set.
public struct Scores: Sendable {
    /// The sequences, by their number in the set.
    public let range: Range<Int>
    /// Outputs, one row a sequence: (range.count)×O.
    public let logits: Matrix
    /// Entropy of each head's attention in nats, (range.count)×H; nil for probes without softmax
    /// attention.
    public let entropies: Matrix?
}

extension Probe {
    /// Scores the sequences of a range; all by default.
    ///
    /// A score has the same bits whatever the range, the other sequences and the threads are.
    ///
    /// - Throws: `DataError` where widths differ, or a hidden state is NaN or infinite.
    public func scores(
        _ data: ActivationSet, _ range: Range<Int>? = nil, threads: Int = Parallel.availableThreads
    ) throws -> Scores {
        try checkFits(data)
        return try scores(data, range ?? data.indices, architecture.evaluator(parameters), threads: threads)
    }

    /// Scores all sequences in order, a chunk at a time, and hands each chunk over as it is done:
    /// memory does not grow with the number of sequences.
    ///
    /// - Parameter chunkTokens: tokens of a chunk, about.
    public func forEachScores(
        _ data: ActivationSet, threads: Int = Parallel.availableThreads, chunkTokens: Int = 1 << 18,
        _ body: (Scores) throws -> Void
    ) throws {
        try checkFits(data)
        let evaluator = architecture.evaluator(parameters)
        var start = 0
        while start < data.count {
            var (end, tokens) = (start, 0)
            while end < data.count, tokens < chunkTokens {
                tokens += data[end].rows.count
                end += 1
            }
            try body(scores(data, start..<end, evaluator, threads: threads))
            start = end
        }
    }

    /// Attention of each head over the visible tokens of one sequence, H×n, and the tokens'
    /// positions; nil for probes without attention.
    ///
    /// - Throws: `DataError` where widths differ, or a hidden state is NaN or infinite.
    public func attention(_ data: ActivationSet, sequence index: Int) throws -> (
        weights: Matrix, positions: [Int]
    )? {
        guard configuration.kind == .attention else { return nil }
        try checkFits(data)
        var work = Workspace()
        let sequence = data[index]
        do {
            try architecture.evaluator(parameters).forward(sequence, &work)
        } catch {
            throw data.projectionError(in: index)
        }
        let count = configuration.heads * sequence.count
        let weights = Matrix(
            rows: configuration.heads, columns: sequence.count, storage: Array(work.attention[..<count]))
        return (weights, (0..<sequence.count).map(sequence.position))
    }

    private func scores(
        _ data: ActivationSet, _ range: Range<Int>, _ evaluator: any ProbeEvaluator, threads: Int
    ) throws -> Scores {
        let hasEntropy = configuration.kind == .attention && configuration.attention == .softmax
        let heads = hasEntropy ? configuration.heads : 0
        let rows = try Parallel.map(count: range.count, threads: threads, workspace: Workspace.init) {
            offset, work -> (logits: [Float], entropies: [Float]) in
            let sequence = data[range.lowerBound + offset]
            do {
                try evaluator.forward(sequence, &work)
            } catch {
                throw data.projectionError(in: range.lowerBound + offset)
            }
            let n = sequence.count
            return (work.outputs, (0..<heads).map { entropy(work.attention[$0 * n..<($0 + 1) * n]) })
        }
        let entropies = Matrix(rows: range.count, columns: heads, storage: rows.flatMap(\.entropies))
        return Scores(
            range: range,
            logits: Matrix(rows: range.count, columns: task.outputs, storage: rows.flatMap(\.logits)),
            entropies: hasEntropy ? entropies : nil)
    }

    private func checkFits(_ data: ActivationSet) throws(DataError) {
        guard data.width == width else {
            throw DataError(
                .mismatch, data.files[0].path, "tensor hidden_states",
                expected: "the width of the probe, \(width)", found: "\(data.width)")
        }
    }
}
