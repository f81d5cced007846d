// Σ_j softmax_j(z/φ)·z_j (McKenzie et al., 2025, arXiv 2506.10805, with φ = 5): between the mean, for a
// large φ, and the maximum, for a small one.
private import Tensors

extension ProbeKind {
    /// Scores weighted by a softmax of themselves.
    public static let softmax = ProbeKind(
        "softmax", [.temperature: 5], scores: { SoftmaxPooling(temperature: $0.temperature) }
    ) { kind in
        kind.grid = Grid(rank: 2) { $0.classes == nil ? [] : [.init()] }
    }
}

struct SoftmaxPooling: ScorePooling {
    /// φ.
    let temperature: Float

    func pool(_ z: Span<Float>) -> Float {
        let weights = weights(z)
        return Float(z.indices.reduce(0.0) { $0 + Double(weights[$1]) * Double(z[$1]) })
    }

    // With s the pooled score: ∂s/∂z_j = a_j·(1 + (z_j - s)/φ)
    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        let weights = weights(z)
        let s = pool(z)
        for j in z.indices { dz[j] = g * weights[j] * (1 + (z[j] - s) / temperature) }
    }

    private func weights(_ z: Span<Float>) -> [Float] {
        let logits = z.indices.map { z[$0] / temperature }
        var weights = logits
        softmax(logits[...], into: &weights)
        return weights
    }
}
