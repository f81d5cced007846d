// Σ_j softmax_j(z/φ)·z_j (McKenzie et al., 2025, arXiv 2506.10805, with φ = 5): between the mean, for a
// large φ, and the maximum, for a small one.
private import Glibc
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

// m = max z, Σ exp((z - m)/φ) and Σ exp((z - m)/φ)·z.
extension SoftmaxPooling: PrefixPooling {
    var stateCount: Int { 3 }
    var isMergeable: Bool { true }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        state[start] = -.infinity
        state[start + 1] = 0
        state[start + 2] = 0
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        add(&state, start, largest: Double(z), weight: 1, sum: Double(z))
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float {
        Float(state[start + 2] / state[start + 1])
    }

    func merge(_ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int) {
        guard later[place] > -.infinity else { return }
        add(&state, start, largest: later[place], weight: later[place + 1], sum: later[place + 2])
    }

    private func add(
        _ state: inout MutableSpan<Double>, _ start: Int, largest: Double, weight: Double, sum: Double
    ) {
        let m = Swift.max(state[start], largest)
        let scale = exp((state[start] - m) / Double(temperature))
        let own = exp((largest - m) / Double(temperature))
        state[start] = m
        state[start + 1] = state[start + 1] * scale + weight * own
        state[start + 2] = state[start + 2] * scale + sum * own
    }
}
