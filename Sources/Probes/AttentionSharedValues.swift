import Tensors

// With many values a head the value rows are most of what a sequence meets: those of 12 heads with 128 values
// on 128 dimensions have 786 KB, looked at twice for every sequence, and their gradient has as many. G
// sequences that fit in cache together meet them together. With U_h the pooled tokens, G×D, and
// g = ∂loss/∂r, G×V:
//     r = Σ_h U_h·v_hᵀ + biases    C_h = g·v_h    ∂v_h = gᵀ·U_h
extension AttentionEvaluator {
    // 2 MB of tokens, pooled tokens and combined value rows: tokens are looked at once more after the values,
    // and are then still near.
    private static let groupSize = 1 << 19

    /// Consecutive sequences that fit in cache together, at least one.
    func groups(_ sequences: [TokenSequence]) -> [ArraySlice<TokenSequence>] {
        var groups: [ArraySlice<TokenSequence>] = []
        var (start, size) = (0, 0)
        for (i, sequence) in sequences.enumerated() {
            let own = (sequence.count + 2 * shape.heads) * shape.width
            if i > start, size + own > Self.groupSize {
                groups.append(sequences[start..<i])
                (start, size) = (i, 0)
            }
            size += own
        }
        return groups + [sequences[start...]]
    }

    func addSharingValues(
        _ sequences: ArraySlice<TokenSequence>, _ projection: Projection, _ work: inout Workspace,
        gradient: inout [Float], loss: (Int, inout Workspace) -> Void
    ) throws(NonFiniteProjection) {
        let first = sequences.startIndex
        guard sequences.count > 1 else {
            try forward(sequences[first], row: 0, by: projection, &work)
            loss(first, &work)
            return backward(
                sequences[first], outputGradient: work.outputGradient, &work, gradient: &gradient)
        }
        let (count, values, size) = (sequences.count, shape.values, shape.heads * shape.width)
        work.group.grow(count: count, values: values, size: size)
        for (i, sequence) in sequences.enumerated() {
            try attendAndPool(sequence, row: 0, by: projection, &work)
            work.group.pooled.replace(at: i * size, with: work.pooled[..<size])
            work.group.values.replace(at: i * values, with: work.values[..<values])
            swap(&work.attention, &work.group.attention[i])
        }
        addValues(count, work.group.pooled, to: &work.group.values)

        for i in 0..<count {
            work.values.reset(to: work.group.values[i * values..<(i + 1) * values])
            try judge(&work, &gradient) { loss(first + i, &$0) }
            work.group.valueGradient.replace(at: i * values, with: work.valueGradient[..<values])
        }
        combineValues(count, work.group.valueGradient, into: &work.group.combined)
        addValueGradient(count, work.group.valueGradient, work.group.pooled, to: &gradient)

        for (i, sequence) in sequences.enumerated() {
            swap(&work.attention, &work.group.attention[i])
            work.valueGradient.reset(to: work.group.valueGradient[i * values..<(i + 1) * values])
            work.combined.reset(to: work.group.combined[i * size..<(i + 1) * size])
            work.pooled.reset(to: work.group.pooled[i * size..<(i + 1) * size])
            addTokenGradient(sequence, &work, &gradient)
        }
    }

    /// From values to their gradient.
    func judge(
        _ work: inout Workspace, _ gradient: inout [Float], loss: (inout Workspace) -> Void
    ) throws(NonFiniteProjection) {
        applyHiddenLayer(&work)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
        loss(&work)
        hiddenLayerGradient(work.outputGradient, &work, &gradient)
    }

    // r += Σ_h U_h·v_hᵀ
    private func addValues(_ count: Int, _ pooled: [Float], to values: inout [Float]) {
        let width = shape.width
        var r = values.mutableSpan
        for h in 0..<shape.heads {
            BLAS.gemm(
                .no, .yes, m: count, n: shape.values, k: width,
                a: pooled.span.extracting(droppingFirst: h * width), aStride: shape.heads * width,
                b: parameters[valueRange(h)].span, bStride: width, beta: 1, c: &r, cStride: shape.values)
        }
    }

    // C_h = g·v_h
    private func combineValues(_ count: Int, _ g: [Float], into combined: inout [Float]) {
        let size = shape.heads * shape.width
        combined.reset(count: count * size)
        var rows = combined.mutableSpan
        for h in 0..<shape.heads {
            addCombined(h, count, g.span, to: &rows, at: h * shape.width, stride: size)
        }
    }

    /// Adds g·v_h of some sequences, G×D, to rows `stride` apart from element `start` on.
    func addCombined(
        _ h: Int, _ count: Int, _ g: Span<Float>, to combined: inout MutableSpan<Float>, at start: Int = 0,
        stride: Int
    ) {
        addWeightedSums(
            of: parameters[valueRange(h)].span, stride: shape.width, count: shape.values, width: shape.width,
            g, stride: shape.values, rows: count, to: &combined, at: start, stride: stride)
    }

    // ∂v_h += gᵀ·U_h
    private func addValueGradient(
        _ count: Int, _ g: [Float], _ pooled: [Float], to gradient: inout [Float]
    ) {
        let transposed = transposed(count, g)
        var sums = gradient.mutableSpan
        for h in 0..<shape.heads {
            addValueGradient(
                h, count, transposed.span, pooled.span, stride: shape.heads * shape.width, to: &sums,
                at: valueRange(h).lowerBound)
        }
    }

    /// Adds gᵀ·U_h, V×D, from element `start` on; `transposed` is gᵀ, and pooled tokens of the sequences are `stride` apart.
    func addValueGradient(
        _ h: Int, _ count: Int, _ transposed: Span<Float>, _ pooled: Span<Float>, stride: Int,
        to gradient: inout MutableSpan<Float>, at start: Int = 0
    ) {
        addWeightedSums(
            of: pooled.extracting(droppingFirst: h * shape.width), stride: stride, count: count,
            width: shape.width, transposed, stride: count, rows: shape.values, to: &gradient, at: start,
            stride: shape.width)
    }

    /// gᵀ, V×G, of g, G×V.
    func transposed(_ count: Int, _ g: [Float]) -> [Float] {
        let values = shape.values
        var transposed = [Float](repeating: 0, count: values * count)
        for k in 0..<values { for i in 0..<count { transposed[k * count + i] = g[i * values + k] } }
        return transposed
    }
}

/// Of G sequences: their attention, and one row each of pooled tokens and combined value rows, G×(H·D), and of
/// values and their gradient, G×V. Of scores also entropies, G×H, products of one head, V×G, and the sum of those of the heads so far.
struct GroupWorkspace: Sendable {
    var attention: [[Float]] = []
    var entropies: [Float] = []
    var products: [Float] = []
    var sums: [Float] = []
    var pooled: [Float] = []
    var combined: [Float] = []
    var values: [Float] = []
    var valueGradient: [Float] = []

    mutating func grow(count: Int, values: Int, size: Int) {
        while attention.count < count { attention.append([]) }
        pooled.grow(to: count * size)
        combined.grow(to: count * size)
        self.values.grow(to: count * values)
        valueGradient.grow(to: count * values)
    }
}
