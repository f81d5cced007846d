// max_i (1/w) Σ_{t<w} z_{i+t}: the largest mean of w neighbours, the first of equals; the mean of all
// where there are fewer (McKenzie et al., 2025, arXiv 2506.10805, with w = 40).

extension ProbeKind {
    /// The largest mean score of w neighbours.
    public static let rolling = ProbeKind(
        "rolling", [.window: 40], scores: { RollingPooling(window: $0.window) })
}

struct RollingPooling: ScorePooling {
    /// w.
    let window: Int

    func pool(_ z: Span<Float>) -> Float { best(z).mean }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        let range = best(z).range
        for j in range { dz[j] = g / Float(range.count) }
    }

    private func best(_ z: Span<Float>) -> (range: Range<Int>, mean: Float) {
        let width = min(window, z.count)
        // Each window anew: a running sum would carry its rounding errors along.
        var (start, largest) = (0, -Double.infinity)
        for i in 0...z.count - width {
            var sum = 0.0
            for j in i..<i + width { sum += Double(z[j]) }
            if sum > largest { (start, largest) = (i, sum) }
        }
        return (start..<start + width, Float(largest / Double(width)))
    }
}

// The largest sum of a full window, of all scores until one is full, and the last w scores.
extension RollingPooling: PrefixPooling {
    var stateCount: Int { 1 + window }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        state[start] = -.infinity
        SlidingWindow(count: window).begin(&state, at: start + 1)
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        let sum = SlidingWindow(count: window).add(z, &state, at: start + 1, seen: seen)
        state[start] = seen < window ? sum : Swift.max(state[start], sum)
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float {
        Float(state[start] / Double(min(seen, window)))
    }
}
