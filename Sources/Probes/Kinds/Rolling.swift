// max_t z̄_t, the first of equals, with z̄_t the mean of w neighbours; the mean of all where there are fewer (McKenzie et
// al., 2025, arXiv 2506.10805, with w = 40).

extension ProbeKind {
    /// The largest mean score of w neighbours.
    public static let rolling = ProbeKind(
        "rolling", [.window: 40], scores: { RollingPooling(window: $0.window) })
}

/// The largest mean of a window of scores.
struct RollingPooling: ScorePooling {
    /// w.
    let window: Int
    /// Whether windows at the start count that have fewer than w scores, as in a swim probe; else these count only where
    /// there are no others.
    var takesShort = false

    func pool(_ z: Span<Float>) -> Float { best(z).mean }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        let range = best(z).range
        for j in range { dz[j] = g / Float(range.count) }
    }

    private func best(_ z: Span<Float>) -> (range: Range<Int>, mean: Float) {
        // Each window anew: a running sum would carry its rounding errors along.
        var (best, largest) = (0..<1, -Double.infinity)
        for end in (takesShort ? 1 : min(window, z.count))...z.count {
            let range = max(0, end - window)..<end
            var sum = 0.0
            for j in range { sum += Double(z[j]) }
            let mean = sum / Double(range.count)
            if mean > largest { (best, largest) = (range, mean) }
        }
        return (best, Float(largest))
    }
}

// The largest mean so far, and the last w scores.
extension RollingPooling: PrefixPooling {
    var stateCount: Int { 1 + window }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        state[start] = -.infinity
        SlidingWindow(count: window).begin(&state, at: start + 1)
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        let sum = SlidingWindow(count: window).add(z, &state, at: start + 1, seen: seen)
        let mean = sum / Double(min(seen + 1, window))
        // The first full window takes the place of the means before it.
        state[start] = !takesShort && seen < window ? mean : Swift.max(state[start], mean)
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float { Float(state[start]) }
}
