// max_j E_j with E_j = α·z_j + (1-α)·E_{j-1} and E_0 = 0 (Kramár et al., 2026, arXiv 2601.11516, with
// α = 0.5). It is trained as a mean probe; the gradient is here for whoever trains it as it is.

extension ProbeKind {
    /// The largest exponential moving average of scores.
    public static let ema = ProbeKind("ema", [.decay: 0.5], scores: { EMAPooling(decay: $0.decay) }) { kind in
        kind.isConvex = true
        kind.trainedAs = .mean
        kind.learningRate = ProbeKind.usualLearningRate
    }
}

struct EMAPooling: ScorePooling {
    /// α.
    let decay: Float

    func pool(_ z: Span<Float>) -> Float { best(z).value }

    // ∂E_m/∂z_j = α·(1-α)^(m-j) for j ≤ m.
    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        var weight = g * decay
        for j in (0...best(z).index).reversed() {
            dz[j] = weight
            weight *= 1 - decay
        }
    }

    private func best(_ z: Span<Float>) -> (index: Int, value: Float) {
        var (average, index, largest): (Float, Int, Float) = (0, 0, -.infinity)
        for j in z.indices {
            average = decay * z[j] + (1 - decay) * average
            if average > largest { (index, largest) = (j, average) }
        }
        return (index, largest)
    }
}

// E_n and max_j E_j.
extension EMAPooling: PrefixPooling {
    var stateCount: Int { 2 }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        state[start] = 0
        state[start + 1] = -.infinity
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        let average = decay * z + (1 - decay) * Float(state[start])
        state[start] = Double(average)
        state[start + 1] = Swift.max(state[start + 1], state[start])
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float { Float(state[start + 1]) }
}
