private import Synchronization
package import Tensors
package import Activations

extension ActivationSet {
    /// The unmasked tokens of every sequence as one vector, N×D. O(T·D).
    ///
    /// - Parameter progress: told how many sequences of how many were seen, from any thread.
    /// - Throws: `DataError` where a hidden state is not finite, or a file has become shorter; `CancellationError` where it is
    ///   interrupted.
    package func pooledStates(
        _ pooling: Pooling, threads: Int, isInterrupted: @Sendable () -> Bool = { false },
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> Matrix {
        try checkLengths(indices)
        let seen = Atomic(0)
        return try Parallel.matrix(rows: count, columns: width, threads: threads, workspace: Workspace.init) {
            index, row, work in
            if isInterrupted() { throw CancellationError() }
            defer { progress(seen.add(1, ordering: .relaxed).newValue, count) }
            let sequence = self[index]
            pooling.pool(sequence, &work)
            guard allFinite(work.pooled[...]), pooling != .last || sequence.isFinite(scratch: &work.tokens)
            else {
                throw projectionError(in: index)
            }
            for d in row.indices { row[d] = work.pooled[d] }
        }
    }

    /// The same sequences, each of one token in memory, the pooled one.
    ///
    /// Parameters and errors are those of `pooledStates`.
    package func pooled(
        _ pooling: Pooling, threads: Int, isInterrupted: @Sendable () -> Bool = { false },
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> ActivationSet {
        let states = try pooledStates(
            pooling, threads: threads, isInterrupted: isInterrupted, progress: progress)
        let batch = try RaggedBatch(
            tokens: TokenMatrix(states.storage, columns: width), offsets: Array(0...count))
        let file = ActivationFile(
            batch, targets: targets, classes: classes, groups: groups, weights: weights, name: files[0].path)
        return try ActivationSet([file])
    }

    /// The tokens as a matrix, a row a sequence, if each has just one and all are in memory; else nil.
    package var oneTokenStates: Matrix? {
        guard files.allSatisfy(\.batch.tokens.files.isEmpty), indices.allSatisfy({ self[$0].count == 1 })
        else { return nil }
        var states = [Float](repeating: 0, count: count * width)
        for index in indices {
            let sequence = self[index]
            let token = sequence.rows.lowerBound + sequence.position(0)
            states.withPart(index * width..<(index + 1) * width) { sequence.tokens.copyRow(token, into: &$0) }
        }
        return Matrix(rows: count, columns: width, storage: states)
    }
}
