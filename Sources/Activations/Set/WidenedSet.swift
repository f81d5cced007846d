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
        return try floats([self], threads)[0]
    }

    /// Some layers, each alone as floats in memory, whose states are read together; see `taking`.
    ///
    /// - Precondition: they are among the layers of the set.
    /// - Throws: `DataError` where a hidden state is not finite.
    package func floats(of layers: [LayerRecord], threads: Int) throws -> [ActivationSet] {
        try floats(layers.map { taking($0)! }, threads)
    }

    // Views of these sequences.
    private func floats(_ views: [ActivationSet], _ threads: Int) throws -> [ActivationSet] {
        try checkLengths(indices)
        var mask: [Bool] = []
        for index in indices {
            let sequence = self[index]
            let visible = Set((0..<sequence.count).map(sequence.position))
            mask += (0..<sequence.rows.count).map(visible.contains)
        }
        let offsets = indices.reduce(into: [0]) { $0.append($0[$1] + self[$1].rows.count) }
        // Sequences that a thread takes at a time, of some megabytes.
        let parts = indices.reduce(into: [0]) { parts, index in
            let tokens = offsets[index + 1] - offsets[parts[parts.count - 1]]
            if tokens >= 4096 || index + 1 == count { parts.append(index + 1) }
        }
        let readAhead = readAhead(indices)
        var values = try Parallel.floats(
            at: views.map { view in parts.map { offsets[$0] * view.width } }, threads: threads,
            workspace: { [Float]() }
        ) { part, view, numbers, scratch in
            var next = 0
            for index in parts[part]..<parts[part + 1] {
                let sequence = views[view][index]
                guard sequence.isFinite(scratch: &scratch) else {
                    throw views[view].projectionError(in: index)
                }
                sequence.tokens.withRows(sequence.rows, scratch: &scratch) { tokens in
                    for k in tokens.indices { numbers[next + k] = tokens[k] }
                    next += tokens.count
                }
                if view == views.count - 1 { readAhead.advance(byteCount(index)) }
            }
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
