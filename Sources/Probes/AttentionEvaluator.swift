private import Glibc
import Tensors

// Forward and gradient of Attention.swift's formula. Shapes are written beside each
// step: H heads, n unmasked tokens, D width, V values a head, O outputs, R = H or H·(1+V) rows.
struct AttentionEvaluator: ProbeEvaluator {
    let shape: AttentionArchitecture
    let parameters: [Float]
    // Where the tensors stand in the flat vector.
    let q, v, valueBias, position, outputWeights, outputBias: Range<Int>
    /// Numbers that are missing in the middle of the gradient: those by v, or none.
    var gap = 0
    /// To score with many values: of each head the products with its V value rows; else none.
    var valueProducts: [Projection] = []

    init(_ shape: AttentionArchitecture, _ parameters: [Float]) {
        let tensors = shape.tensors
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        self.shape = shape
        self.parameters = parameters
        q = tensors.range(of: "q.weight")!
        v = tensors.range(of: "v.weight")!
        valueBias = tensors.range(of: "v.bias")!
        position = tensors.range(of: "position_weight")!
        outputWeights = tensors.range(of: "o.weight") ?? 0..<0
        outputBias = tensors.range(of: "o.bias") ?? 0..<0
    }

    // [q | v] or q alone: R×D
    var tokenWeights: ArraySlice<Float> { parameters[0..<rows * shape.width] }

    var rows: Int { shape.plan == .stackedProduct ? shape.heads * (1 + shape.values) : shape.heads }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        try forward(sequence, row: row, by: nil, &work)
    }

    /// `forward` from products that are there, or computed by `projection`.
    func forward(
        _ sequence: TokenSequence, row: Int, by projection: Projection?, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        guard valueProducts.isEmpty else {
            try begin(sequence, row: row, by: projection, place: 0, of: 1, &work)
            guard (try? finish(1, of: 1, &work) { _, _ in }) != nil else { throw NonFiniteProjection() }
            return
        }
        switch shape.plan {
        case .stackedProduct:
            let n = sequence.count
            projection?.apply(sequence, into: &work.projections, scratch: &work.tokens)
            guard allFinite(work.projections[row * n..<(row + rows) * n]) else {
                throw NonFiniteProjection()
            }
            attend(sequence, row, &work)
            work.values.reset(count: shape.values)
            poolValues(n, row, &work)
        case .poolThenProject:
            try attendAndPool(sequence, row: row, by: projection, &work)
            projectPooled(&work)
        }
        applyHiddenLayer(&work)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    // a[h,j], H×n, from the H rows of z from `row` on.
    func attend(_ sequence: TokenSequence, _ row: Int, _ work: inout Workspace) {
        let n = sequence.count
        work.attention.grow(to: shape.heads * n)
        work.entropies.reset(count: shape.attention == .softmax ? shape.heads : 0)
        for h in 0..<shape.heads {
            let own = (row + h) * n..<(row + h + 1) * n
            let (slope, start) = addPositions(h, sequence, 0..<n, at: own.lowerBound, &work)
            switch shape.attention {
            case .softmax:
                work.entropies[h] = Float(
                    softmax(
                        work.projections[own], slope: slope, start: start, into: &work.attention, at: h * n))
            case .tanh:
                for j in 0..<n { work.attention[h * n + j] = tanh(work.projections[own.lowerBound + j]) }
            }
        }
    }

    /// Adds p·t to the logits of some tokens, which start at `place`, or leaves that to the softmax: the slope that is left, and
    /// the position that it starts from.
    func addPositions(
        _ h: Int, _ sequence: TokenSequence, _ tokens: Range<Int>, at place: Int, _ work: inout Workspace
    ) -> (slope: Float, start: Float) {
        let p = parameters[position.lowerBound + h]
        let origin = positionOrigin(p, sequence)
        guard !sequence.isUnbroken || shape.attention == .tanh else {
            return (p, Float(sequence.position(tokens.lowerBound) - origin))
        }
        for (i, j) in tokens.enumerated() {
            work.projections[place + i] += p * Float(sequence.position(j) - origin)
        }
        return (0, 0)
    }

    // Softmax ignores a constant, so positions may be counted from anywhere. Counted from the unmasked
    // token where p·t is largest, the tokens that matter have a small p·t, which a float holds
    // exactly enough even after thousands of tokens.
    func positionOrigin(_ p: Float, _ sequence: TokenSequence) -> Int {
        guard shape.attention == .softmax else { return 0 }
        return p > 0 ? sequence.lastPosition : sequence.position(0)
    }

    // Σ_j a[h,j], which is 1 for a softmax.
    private func totalAttention(_ h: Int, _ n: Int, _ work: Workspace) -> Float {
        shape.attention == .softmax ? 1 : Float(sum(work.attention[h * n..<(h + 1) * n]))
    }

    // r[k] = Σ_h Σ_j a[h,j]·(z[H+h·V+k, j] + β[h,k])
    private func poolValues(_ n: Int, _ row: Int, _ work: inout Workspace) {
        for k in 0..<shape.values {
            var r = 0.0
            for h in 0..<shape.heads {
                let value = row + shape.heads + h * shape.values + k
                r += dot(work.attention[h * n..<(h + 1) * n], work.projections[value * n..<(value + 1) * n])
                r += Double(bias(h, k)) * Double(totalAttention(h, n, work))
            }
            work.values[k] = Float(r)
        }
    }

    // r[k] += Σ_h u_h·v_hk
    private func projectPooled(_ work: inout Workspace) {
        let width = shape.width
        for h in 0..<shape.heads {
            BLAS.gemv(
                .no, rows: shape.values, columns: width, a: parameters[valueRange(h)],
                x: work.pooled[h * width..<(h + 1) * width], beta: 1, y: &work.values)
        }
    }

    func poolTokens(_ sequence: TokenSequence, _ work: inout Workspace) {
        work.pooled.reset(count: shape.heads * shape.width)
        guard shape.attention == .softmax else {
            sequence.weightedSums(
                work.attention, rows: shape.heads, into: &work.pooled, scratch: &work.tokens)
            return
        }
        sequence.addWeightedSums(work.attention, rows: shape.heads, to: &work.pooled, scratch: &work.tokens)
    }

    func addBiases(_ h: Int, _ n: Int, _ work: inout Workspace) {
        let weight = totalAttention(h, n, work)
        for k in 0..<shape.values { work.values[k] += bias(h, k) * weight }
    }

    // y = r, or Wo·relu(r) + bo
    func applyHiddenLayer(_ work: inout Workspace) {
        guard shape.hidden > 0 else {
            work.outputs.reset(to: work.values[...])
            return
        }
        work.rectified.reset(count: shape.hidden)
        for k in 0..<shape.hidden { work.rectified[k] = max(work.values[k], 0) }
        work.outputs.reset(to: parameters[outputBias])
        BLAS.gemv(
            .no, rows: shape.outputs, columns: shape.hidden, a: parameters[outputWeights],
            x: work.rectified[...], beta: 1, y: &work.outputs)
    }

    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        hiddenLayerGradient(outputGradient, &work, &gradient)
        if shape.plan == .poolThenProject {
            work.combined.grow(to: shape.heads * shape.width)
            for h in 0..<shape.heads {
                BLAS.gemv(
                    .yes, rows: shape.values, columns: shape.width, a: parameters[valueRange(h)],
                    x: work.valueGradient[...], y: &work.combined, at: h * shape.width)
                BLAS.ger(
                    x: work.valueGradient[...], y: work.pooled[h * shape.width..<(h + 1) * shape.width],
                    a: &gradient, at: valueRange(h).lowerBound)
            }
        }
        addTokenGradient(sequence, &work, &gradient)
    }

    // What `work.valueGradient`, and with pooled tokens `work.combined`, add to the gradient: all but ∂v of
    // pooled tokens.
    func addTokenGradient(_ sequence: TokenSequence, _ work: inout Workspace, _ gradient: inout [Float]) {
        guard !takesTiles(sequence) else { return addTileGradients(sequence, &work, &gradient) }
        let (n, heads, width) = (sequence.count, shape.heads, shape.width)
        work.projectionGradient.grow(to: rows * n)
        sequence.copyPositions(into: &work.positions)
        if shape.plan == .poolThenProject {
            // Where the values of single tokens were never computed: Σ_k g[k]·(x_j·v_hk), as the product of
            // the tokens with the H rows Σ_k g[k]·v_hk.
            Projection(work.combined[0..<heads * width], rows: heads, width: width)
                .apply(sequence, into: &work.projectionGradient, scratch: &work.tokens)
        }
        for h in 0..<heads { headGradient(h, sequence, &work, &gradient) }
        // ∂[q | v] += dz·X, or ∂q alone: R×D
        sequence.addWeightedSums(
            work.projectionGradient, rows: rows, to: &gradient, scratch: &work.tokens)
    }

    // g = ∂loss/∂r from ∂loss/∂y
    func hiddenLayerGradient(
        _ outputGradient: [Float], _ work: inout Workspace, _ gradient: inout [Float]
    ) {
        guard shape.hidden > 0 else {
            work.valueGradient.reset(to: outputGradient[...])
            return
        }
        work.valueGradient.reset(count: shape.hidden)
        for o in 0..<shape.outputs {
            let g = outputGradient[o]
            gradient[outputBias.lowerBound - gap + o] += g
            for k in 0..<shape.hidden where work.values[k] > 0 {
                let weight = outputWeights.lowerBound + o * shape.hidden + k
                gradient[weight - gap] += g * work.values[k]
                work.valueGradient[k] += g * parameters[weight]
            }
        }
    }

    // With c[j] = Σ_k g[k]·(x_j·v_hk + β_hk), the gradient by a[h,j]:
    //     softmax   ∂logit[j] = a[j]·(c[j] - Σ_i a[i]·c[i])
    //     tanh      ∂logit[j] = (1 - a[j]²)·c[j]
    //     ∂p = Σ_j ∂logit[j]·t(j)    ∂β_hk = g[k]·Σ_j a[j]    ∂v_hk = g[k]·Σ_j a[j]·x_j
    // Fills the rows of dz that belong to head h and adds ∂p and ∂β.
    private func headGradient(
        _ h: Int, _ sequence: TokenSequence, _ work: inout Workspace, _ gradient: inout [Float]
    ) {
        let (n, values) = (sequence.count, shape.values)
        let g = work.valueGradient
        let own = h * n..<(h + 1) * n
        let constant = addBiasGradient(h, n, &work, &gradient)

        // c, in place of ∂logit, but for the constant; with pooled tokens it is there.
        if shape.plan == .stackedProduct {
            for j in own { work.projectionGradient[j] = 0 }
            for k in 0..<values {
                let row = (shape.heads + h * values + k) * n
                for j in 0..<n {
                    work.projectionGradient[own.lowerBound + j] += g[k] * work.projections[row + j]
                    work.projectionGradient[row + j] = g[k] * work.attention[own.lowerBound + j]
                }
            }
        }

        let p = parameters[position.lowerBound + h]
        var positionGradient = 0.0
        switch shape.attention {
        case .softmax:
            positionGradient = softmaxGradient(
                work.attention[own], &work.projectionGradient, at: own.lowerBound,
                positions: work.positions[..<n], first: Float(positionOrigin(p, sequence)))
        case .tanh:
            for j in 0..<n {
                let a = work.attention[own.lowerBound + j]
                let d = (1 - a * a) * (work.projectionGradient[own.lowerBound + j] + constant)
                work.projectionGradient[own.lowerBound + j] = d
                positionGradient += Double(d) * Double(work.positions[j])
            }
        }
        gradient[position.lowerBound - gap + h] += Float(positionGradient)
    }

    /// Adds ∂β_hk, and returns Σ_k g[k]·β_hk.
    func addBiasGradient(_ h: Int, _ n: Int, _ work: inout Workspace, _ gradient: inout [Float]) -> Float {
        let weight = totalAttention(h, n, work)
        var constant: Float = 0
        for k in 0..<shape.values {
            let g = work.valueGradient[k]
            gradient[valueBias.lowerBound - gap + h * shape.values + k] += g * weight
            constant += g * bias(h, k)
        }
        return constant
    }

    func bias(_ h: Int, _ k: Int) -> Float { parameters[valueBias.lowerBound + h * shape.values + k] }

    // The V×D rows of one head in `v.weight`.
    func valueRange(_ h: Int) -> Range<Int> {
        let size = shape.values * shape.width
        return v.lowerBound + h * size..<v.lowerBound + (h + 1) * size
    }
}
