import Tensors

extension ActivationSet {
    /// The same sequences as floats in memory, where they are stored in half precision and take at most
    /// so many bytes; else the set itself. Scores and gradients keep their bits.
    ///
    /// Training with hidden tokens widens every token again at every pass, a third of its time; many
    /// trainings on the same data save that.
    ///
    /// - Throws: `DataError` where a hidden state is not finite.
    package func widened(atMost bytes: Int, threads: Int) throws -> ActivationSet {
        guard tokenCount * width * 4 <= bytes, files.contains(where: { $0.batch.tokens.elementType != .f32 })
        else { return self }
        try checkLengths(indices)
        var values: [Float] = []
        values.reserveCapacity(tokenCount * width)
        var (offsets, mask): ([Int], [Bool]) = ([0], [])
        var scratch: [Float] = []
        for index in indices {
            let sequence = self[index]
            guard sequence.isFinite(scratch: &scratch) else { throw projectionError(in: index) }
            sequence.tokens.withRows(sequence.rows, scratch: &scratch) { tokens in
                for i in tokens.indices { values.append(tokens[i]) }
            }
            offsets.append(offsets[index] + sequence.rows.count)
            let visible = Set((0..<sequence.count).map(sequence.position))
            mask += (0..<sequence.rows.count).map(visible.contains)
        }
        let batch = try RaggedBatch(
            tokens: TokenMatrix(values, columns: width), offsets: offsets,
            tokenMask: mask.allSatisfy(\.self) ? nil : mask)
        let file = ActivationFile(
            batch, targets: targets, classes: classes, groups: groups, weights: weights, name: files[0].path)
        return try ActivationSet([file])
    }
}
