import Tensors

// The gradient of Attention.swift's formula in fewer operations than `forward` and `backward`
// of single sequences take.
extension AttentionEvaluator {
    func addGradients(
        _ sequences: [TokenSequence], _ projection: Projection?, _ work: inout Workspace,
        gradient: inout [Float], loss: (Int, inout Workspace) -> Void
    ) throws(NonFiniteProjection) {
        if shape.plan == .poolThenProject {
            for group in groups(sequences) {
                try addSharingValues(group, projection!, &work, gradient: &gradient, loss: loss)
            }
            return
        }
        let visitsOnce = shape.plan == .stackedProduct && shape.values == 1 && shape.attention == .softmax
        for (i, sequence) in sequences.enumerated() {
            guard visitsOnce else {
                try addGradient(sequence, projection, &work, gradient: &gradient) { loss(i, &$0) }
                continue
            }
            try addVisitingOnce(sequence, projection!, &work, gradient: &gradient) {
                loss(i, &$0)
            }
        }
    }

    // With one value a head, products and weighted sums of a tile of tokens while it is in cache. With
    // e[h,j] the exponential of a logit up to a factor, E[h] its sum, and o[h] the mean of v[h,j] = x_j·v_h
    // by e, which lies near c[h]:
    //     A_h = Σ_j e[h,j]·x_j               B_h = Σ_j e[h,j]·(v[h,j] - c[h])·x_j
    //     ∂v_h = g·A_h/E[h]                  ∂q_h = g·(B_h - (o[h] - c[h])·A_h)/E[h]
    // and ∂p_h as ∂q_h with t(j) in place of x_j. g = ∂loss/∂r is known only after the last tile.
    private func addVisitingOnce(
        _ sequence: TokenSequence, _ projection: Projection, _ work: inout Workspace,
        gradient: inout [Float], loss: (inout Workspace) -> Void
    ) throws(NonFiniteProjection) {
        let (heads, width, stride) = (shape.heads, shape.width, sequence.sumsStride)
        let start = try sumTiles(sequence, projection, &work)
        let r = (0..<heads).reduce(0.0) { r, h in
            let head = work.heads[h]
            return r + head.values / head.total + Double(head.center) + Double(bias(h, 0))
        }
        work.values.reset(to: Float(r), count: 1)
        applyHiddenLayer(&work)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
        loss(&work)
        hiddenLayerGradient(work.outputGradient, &work, &gradient)

        for h in 0..<heads {
            let head = work.heads[h]
            let g = work.valueGradient[0]
            let scale = Double(g) / head.total
            let mean = head.values / head.total
            let totals = work.pooled[(start + h * stride)...].prefix(width)
            let deviations = work.pooled[(start + (heads + h) * stride)...].prefix(width)
            let queries = q.lowerBound + h * width
            BLAS.axpy(Float(scale), deviations, y: &gradient, at: queries)
            BLAS.axpy(Float(-scale * mean), totals, y: &gradient, at: queries)
            BLAS.axpy(Float(scale), totals, y: &gradient, at: v.lowerBound + h * width)
            gradient[position.lowerBound + h] += Float(scale * (head.products - mean * head.positions))
            gradient[valueBias.lowerBound + h] += g
        }
    }

    // Leaves A, then B, in `pooled`, 2H×D from the element on that it returns, and the sums of single numbers in
    // `heads`.
    private func sumTiles(
        _ sequence: TokenSequence, _ projection: Projection, _ work: inout Workspace
    ) throws(NonFiniteProjection) -> Int {
        let (heads, stride) = (shape.heads, sequence.sumsStride)
        work.heads.removeAll(keepingCapacity: true)
        work.heads.append(contentsOf: repeatElement(RunningSoftmax(), count: heads))
        sequence.copyPositions(into: &work.positions)
        work.pooled.reset(count: rows * stride + 15)
        let start = work.pooled.firstInLine
        var scratch: [Float] = []
        swap(&scratch, &work.tokens)
        defer { swap(&scratch, &work.tokens) }
        try sequence.forEachTile(rows: rows, scratch: &scratch) { (range, tile) throws(NonFiniteProjection) in
            let n = range.count
            projection.apply(tile, count: n, into: &work.projections)
            guard allFinite(work.projections[..<(rows * n)]) else { throw NonFiniteProjection() }
            let positions = work.positions[range]
            for h in 0..<heads {
                let p = parameters[position.lowerBound + h]
                work.heads[h].add(
                    &work.projections, logits: h * n, values: (heads + h) * n, slope: p,
                    positions: positions, first: Float(positionOrigin(p, sequence)))
                work.heads[h].rescale(
                    &work.pooled, totals: start + h * stride, deviations: start + (heads + h) * stride,
                    width: shape.width)
            }
            sequence.addWeightedSums(
                of: tile, count: n, work.projections, stride: n, rows: rows, to: &work.pooled,
                sumsStart: start, sumsStride: stride)
        }
        return start
    }
}
