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
        return try floats([self])[0]
    }

    /// Some layers, each alone as floats in memory, whose states are read together; see `taking`.
    ///
    /// - Precondition: they are among the layers of the set.
    /// - Throws: `DataError` where a hidden state is not finite.
    package func floats(of layers: [LayerRecord]) throws -> [ActivationSet] {
        try floats(layers.map { taking($0)! })
    }

    // Views of these sequences.
    private func floats(_ views: [ActivationSet]) throws -> [ActivationSet] {
        try checkLengths(indices)
        var values: [[Float]] = views.map { view in
            var own: [Float] = []
            own.reserveCapacity(tokenCount * view.width)
            return own
        }
        var (offsets, mask): ([Int], [Bool]) = ([0], [])
        var scratch: [Float] = []
        let readAhead = readAhead(indices)
        for index in indices {
            for (i, view) in views.enumerated() {
                let sequence = view[index]
                guard sequence.isFinite(scratch: &scratch) else { throw view.projectionError(in: index) }
                sequence.tokens.withRows(sequence.rows, scratch: &scratch) { tokens in
                    for k in tokens.indices { values[i].append(tokens[k]) }
                }
            }
            readAhead.advance(byteCount(index))
            let sequence = self[index]
            offsets.append(offsets[index] + sequence.rows.count)
            let visible = Set((0..<sequence.count).map(sequence.position))
            mask += (0..<sequence.rows.count).map(visible.contains)
        }
        return try views.indices.map { i in
            let batch = try RaggedBatch(
                tokens: TokenMatrix(values[i], columns: views[i].width), offsets: offsets,
                tokenMask: mask.allSatisfy(\.self) ? nil : mask)
            values[i] = []
            let file = ActivationFile(
                batch, targets: targets, classes: classes, groups: groups, weights: weights,
                name: files[0].path)
            return try ActivationSet([file])
        }
    }
}
