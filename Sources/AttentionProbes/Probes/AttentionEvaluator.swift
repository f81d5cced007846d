private import Foundation
import Tensors

// Forward and gradient of AttentionArchitecture.swift's formula. Shapes are written beside each
// step: H heads, n visible tokens, D width, V values a head, O outputs, R = H or H·(1+V) rows.
struct AttentionEvaluator: ProbeEvaluator {
    private let shape: AttentionArchitecture
    private let parameters: [Float]
    private let projection: Projection
    // Where the tensors stand in the flat vector.
    private let q, v, valueBias, position, outputWeights, outputBias: Range<Int>

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
        let rows = shape.plan == .stackedProduct ? shape.heads * (1 + shape.values) : shape.heads
        projection = Projection(
            parameters[0..<rows * shape.width], rows: rows, width: shape.width)
    }

    func forward(_ sequence: TokenSequence, _ work: inout Workspace) throws(NonFiniteProjection) {
        let n = sequence.count
        // z = [q | v]·Xᵀ, or q·Xᵀ: R×n
        projection.apply(sequence, into: &work.projections, scratch: &work.tokens)
        guard allFinite(work.projections[0..<projection.rows * n]) else {
            throw NonFiniteProjection()
        }
        attend(sequence, &work)

        work.values = Array(repeating: 0, count: shape.values)
        switch shape.plan {
        case .stackedProduct: poolValues(n, &work)
        case .poolThenProject: projectPooled(sequence, &work)
        }
        applyHiddenLayer(&work)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    // a[h,j], H×n, from the first H rows of z.
    private func attend(_ sequence: TokenSequence, _ work: inout Workspace) {
        let n = sequence.count
        work.attention.grow(to: shape.heads * n)
        for h in 0..<shape.heads {
            let p = parameters[position.lowerBound + h]
            let origin = positionOrigin(p, sequence)
            let own = h * n..<(h + 1) * n
            for j in 0..<n {
                let t = Float(sequence.position(j) - origin)
                work.attention[own.lowerBound + j] = work.projections[own.lowerBound + j] + p * t
            }
            switch shape.attention {
            case .softmax: softmax(&work.attention, own)
            case .tanh: for j in own { work.attention[j] = tanh(work.attention[j]) }
            }
        }
    }

    // Softmax ignores a constant, so positions may be counted from anywhere. Counted from the visible
    // token where p·t is largest, the tokens that matter have a small p·t, which a float holds
    // exactly enough even after thousands of tokens.
    private func positionOrigin(_ p: Float, _ sequence: TokenSequence) -> Int {
        guard shape.attention == .softmax else { return 0 }
        return p > 0 ? sequence.lastPosition : sequence.position(0)
    }

    // r[k] = Σ_h Σ_j a[h,j]·(z[H+h·V+k, j] + β[h,k])
    private func poolValues(_ n: Int, _ work: inout Workspace) {
        for k in 0..<shape.values {
            var r = 0.0
            for h in 0..<shape.heads {
                let a = work.attention[h * n..<(h + 1) * n]
                let row = shape.heads + h * shape.values + k
                r += dot(a, work.projections[row * n..<(row + 1) * n])
                r += Double(bias(h, k)) * sum(a)
            }
            work.values[k] = Float(r)
        }
    }

    // u = a·X, H×D, then r[k] = Σ_h (u_h·v_hk + β_hk·Σ_j a[h,j])
    private func projectPooled(_ sequence: TokenSequence, _ work: inout Workspace) {
        let (heads, n, width, values) = (shape.heads, sequence.count, shape.width, shape.values)
        work.pooled = Array(repeating: 0, count: heads * width)
        sequence.addWeightedSums(work.attention, rows: heads, to: &work.pooled, scratch: &work.tokens)
        for h in 0..<heads {
            let weight = Float(sum(work.attention[h * n..<(h + 1) * n]))
            let pooled = work.pooled[h * width..<(h + 1) * width]
            for k in 0..<values { work.values[k] += bias(h, k) * weight }
            BLAS.gemv(
                .no, rows: values, columns: width, a: parameters[valueRange(h)], x: pooled,
                beta: 1, y: &work.values)
        }
    }

    // y = r, or Wo·relu(r) + bo
    private func applyHiddenLayer(_ work: inout Workspace) {
        guard shape.hidden > 0 else {
            work.outputs = work.values
            return
        }
        let rectified = work.values.map { max($0, 0) }
        work.outputs = Array(parameters[outputBias])
        BLAS.gemv(
            .no, rows: shape.outputs, columns: shape.hidden, a: parameters[outputWeights],
            x: rectified[...], beta: 1, y: &work.outputs)
    }

    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        hiddenLayerGradient(outputGradient, &work, &gradient)
        let n = sequence.count
        work.projectionGradient.grow(to: projection.rows * n)
        switch shape.plan {
        case .stackedProduct: break
        case .poolThenProject: projectCombinedValues(sequence, &work)
        }
        for h in 0..<shape.heads { headGradient(h, sequence, &work, &gradient) }
        // ∂[q | v] += dz·X, or ∂q alone: R×D
        sequence.addWeightedSums(
            work.projectionGradient, rows: projection.rows, to: &gradient, scratch: &work.tokens)
    }

    // g = ∂loss/∂r from ∂loss/∂y
    private func hiddenLayerGradient(
        _ outputGradient: [Float], _ work: inout Workspace, _ gradient: inout [Float]
    ) {
        guard shape.hidden > 0 else {
            work.valueGradient = outputGradient
            return
        }
        work.valueGradient = Array(repeating: 0, count: shape.hidden)
        for o in 0..<shape.outputs {
            let g = outputGradient[o]
            gradient[outputBias.lowerBound + o] += g
            for k in 0..<shape.hidden where work.values[k] > 0 {
                let weight = outputWeights.lowerBound + o * shape.hidden + k
                gradient[weight] += g * work.values[k]
                work.valueGradient[k] += g * parameters[weight]
            }
        }
    }

    // Where the values of single tokens were never computed: Σ_k g[k]·(x_j·v_hk), as the product of
    // the tokens with the H combined rows Σ_k g[k]·v_hk. Leaves H×n in `projections`.
    private func projectCombinedValues(_ sequence: TokenSequence, _ work: inout Workspace) {
        let (heads, width) = (shape.heads, shape.width)
        work.combined.grow(to: heads * width)
        for h in 0..<heads {
            BLAS.gemv(
                .yes, rows: shape.values, columns: width, a: parameters[valueRange(h)],
                x: work.valueGradient[...], y: &work.combined, at: h * width)
        }
        Projection(work.combined[0..<heads * width], rows: heads, width: width)
            .apply(sequence, into: &work.projections, scratch: &work.tokens)
    }

    // With c[j] = Σ_k g[k]·(x_j·v_hk + β_hk), the gradient by a[h,j]:
    //     softmax   ∂logit[j] = a[j]·(c[j] - Σ_i a[i]·c[i])
    //     tanh      ∂logit[j] = (1 - a[j]²)·c[j]
    //     ∂p = Σ_j ∂logit[j]·t(j)    ∂β_hk = g[k]·Σ_j a[j]    ∂v_hk = g[k]·Σ_j a[j]·x_j
    // Fills the rows of dz that belong to head h and adds ∂p, ∂β and, with pooled tokens, ∂v.
    private func headGradient(
        _ h: Int, _ sequence: TokenSequence, _ work: inout Workspace, _ gradient: inout [Float]
    ) {
        let (n, values, width) = (sequence.count, shape.values, shape.width)
        let g = work.valueGradient
        let own = h * n..<(h + 1) * n
        let weight = Float(sum(work.attention[own]))
        var constant: Float = 0
        for k in 0..<values {
            gradient[valueBias.lowerBound + h * values + k] += g[k] * weight
            constant += g[k] * bias(h, k)
        }

        // c, in place of ∂logit
        for j in own {
            switch shape.plan {
            case .poolThenProject: work.projectionGradient[j] = work.projections[j] + constant
            case .stackedProduct: work.projectionGradient[j] = constant
            }
        }
        switch shape.plan {
        case .stackedProduct:
            for k in 0..<values {
                let row = (shape.heads + h * values + k) * n
                for j in 0..<n {
                    work.projectionGradient[own.lowerBound + j] += g[k] * work.projections[row + j]
                    work.projectionGradient[row + j] = g[k] * work.attention[own.lowerBound + j]
                }
            }
        case .poolThenProject:
            let pooled = work.pooled[h * width..<(h + 1) * width]
            BLAS.ger(x: g[...], y: pooled, a: &gradient, at: valueRange(h).lowerBound)
        }

        let p = parameters[position.lowerBound + h]
        let origin = positionOrigin(p, sequence)
        let mean =
            shape.attention == .tanh
            ? 0
            : Float(
                dot(
                    work.attention[own], work.projectionGradient[own]))
        var positionGradient = 0.0
        for j in 0..<n {
            let a = work.attention[own.lowerBound + j]
            let c = work.projectionGradient[own.lowerBound + j]
            let d = shape.attention == .softmax ? a * (c - mean) : (1 - a * a) * c
            work.projectionGradient[own.lowerBound + j] = d
            positionGradient += Double(d) * Double(sequence.position(j) - origin)
        }
        gradient[position.lowerBound + h] += Float(positionGradient)
    }

    private func bias(_ h: Int, _ k: Int) -> Float { parameters[valueBias.lowerBound + h * shape.values + k] }

    // The V×D rows of one head in `v.weight`.
    private func valueRange(_ h: Int) -> Range<Int> {
        let size = shape.values * shape.width
        return v.lowerBound + h * size..<v.lowerBound + (h + 1) * size
    }
}
