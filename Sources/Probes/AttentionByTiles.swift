import Tensors

// What several values a head take of a sequence that is more than one tile of tokens: everything that meets a tile does so
// while it is in cache. With softmax weights e[h,j] up to a factor, E[h] their sum and U_h, C_h as in
// AttentionSharedValues.swift:
//     U_h = Σ_j e[h,j]·x_j / E[h]
//     ∂logit[h,j] = a[h,j]·(x_j·C_h - U_h·C_h)    ∂q_h = Σ_j ∂logit[h,j]·x_j
// The mean of x_j·C_h by attention is U_h·C_h, so that the gradient of a tile does not wait for the tiles behind it.
extension AttentionEvaluator: ProjectingEvaluator {
    /// Whether the tokens of a sequence are met a tile at a time.
    func takesTiles(_ sequence: TokenSequence) -> Bool {
        shape.plan == .poolThenProject && shape.attention == .softmax
            && !sequence.isOneTile(rows: shape.heads)
    }

    package func forward(
        _ sequence: TokenSequence, by projection: Projection, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        try forward(sequence, row: 0, by: projection, &work)
    }

    /// Leaves attention, entropies, pooled tokens, and of the values what biases add, in the workspace.
    ///
    /// - Parameters:
    ///   - row: where the products with the queries start in `projections`.
    ///   - projection: computes them; nil where they are there.
    func attendAndPool(
        _ sequence: TokenSequence, row: Int, by projection: Projection?, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let n = sequence.count
        if takesTiles(sequence) {
            try poolTiles(sequence, row, projection, &work)
        } else {
            projection?.apply(sequence, into: &work.projections, scratch: &work.tokens)
            guard allFinite(work.projections[row * n..<(row + shape.heads) * n]) else {
                throw NonFiniteProjection()
            }
            attend(sequence, row, &work)
            poolTokens(sequence, &work)
        }
        work.values.reset(count: shape.values)
        for h in 0..<shape.heads { addBiases(h, n, &work) }
    }

    private func poolTiles(
        _ sequence: TokenSequence, _ row: Int, _ projection: Projection?, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let (n, heads, width, stride) = (sequence.count, shape.heads, shape.width, sequence.sumsStride)
        var softmaxes = [TileSoftmax](repeating: TileSoftmax(), count: heads)
        work.attention.grow(to: heads * n)
        work.pooled.reset(count: heads * stride + 15)
        let sums = work.pooled.firstInLine
        var scratch: [Float] = []
        swap(&scratch, &work.tokens)
        defer { swap(&scratch, &work.tokens) }
        try sequence.forEachTile(rows: heads) { (range) throws(NonFiniteProjection) in
            // The tile's logits are all there is in `projections`, or a part of the lines of a whole sequence.
            let (first, line) = projection == nil ? (row * n + range.lowerBound, n) : (0, range.count)
            if let projection {
                work.projections.grow(to: heads * line)
                projection.apply(sequence, range, into: &work.projections, at: 0, scratch: &scratch)
            }
            for h in 0..<heads {
                let own = first + h * line..<first + h * line + range.count
                guard allFinite(work.projections[own]) else { throw NonFiniteProjection() }
                let (slope, start) = addPositions(h, sequence, range, at: own.lowerBound, &work)
                let scale = softmaxes[h].add(
                    work.projections[own], slope: slope, start: start, into: &work.attention,
                    at: h * n + range.lowerBound)
                guard scale != 1 else { continue }
                for j in h * n..<h * n + range.lowerBound { work.attention[j] *= scale }
                for d in sums + h * stride..<sums + h * stride + width { work.pooled[d] *= scale }
            }
            sequence.withTokens(range, scratch: &scratch) { tile in
                sequence.addWeightedSums(
                    of: tile, count: range.count, work.attention, at: range.lowerBound, stride: n,
                    rows: heads,
                    to: &work.pooled, sumsStart: sums, sumsStride: stride)
            }
        }
        work.entropies.reset(count: heads)
        for h in 0..<heads {
            work.entropies[h] = Float(softmaxes[h].entropy)
            let scale = Float(1 / softmaxes[h].total)
            for j in h * n..<(h + 1) * n { work.attention[j] *= scale }
            for d in 0..<width { work.pooled[h * width + d] = work.pooled[sums + h * stride + d] * scale }
        }
    }

    /// Adds ∂q, and of each head ∂p and ∂β, of a sequence whose tokens are met a tile at a time.
    ///
    /// - Precondition: the workspace has its attention, pooled tokens, and value rows combined by `valueGradient`.
    func addTileGradients(_ sequence: TokenSequence, _ work: inout Workspace, _ gradient: inout [Float]) {
        let (n, heads, width) = (sequence.count, shape.heads, shape.width)
        sequence.copyPositions(into: &work.positions)
        let projection = Projection(work.combined[..<(heads * width)], rows: heads, width: width)
        let means = (0..<heads).map { h in
            dot(work.combined[h * width..<(h + 1) * width], work.pooled[h * width..<(h + 1) * width])
        }
        var scratch: [Float] = []
        swap(&scratch, &work.tokens)
        defer { swap(&scratch, &work.tokens) }
        sequence.forEachTile(rows: heads) { range in
            let count = range.count
            work.projectionGradient.grow(to: heads * count)
            projection.apply(sequence, range, into: &work.projectionGradient, at: 0, scratch: &scratch)
            for h in 0..<heads {
                let p = parameters[position.lowerBound + h]
                gradient[position.lowerBound - gap + h] += Float(
                    softmaxGradient(
                        work.attention[h * n + range.lowerBound..<h * n + range.upperBound],
                        &work.projectionGradient, at: h * count, positions: work.positions[range],
                        first: Float(positionOrigin(p, sequence)), mean: means[h]))
            }
            sequence.withTokens(range, scratch: &scratch) { tile in
                sequence.addWeightedSums(
                    of: tile, count: count, work.projectionGradient, stride: count, rows: heads, to: &gradient
                )
            }
        }
        for h in 0..<heads { _ = addBiasGradient(h, n, &work, &gradient) }
    }
}
