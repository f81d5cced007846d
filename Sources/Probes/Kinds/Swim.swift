// max_t z̄_t, the first of equals, with z̄_t the mean of the last M scores up to the t-th, of fewer at the start
// (Constitutional Classifiers++, Cunningham et al., 2026, arXiv 2601.04603, section 5, with M = 16). So the score of a
// sequence never falls while it goes on. Its loss is one on all sliding means: `SlidingMeanLoss`.
//
// In place of the sliding mean, scoring may take the exponential one, as an ema probe has it: it needs one number a
// stream, not M. Its usual α has the mean age of a window of 16: α = 2/17.
import ProbeMetrics

extension ProbeKind {
    /// The largest sliding mean of scores, trained on all sliding means.
    public static let swim = ProbeKind(
        "swim", [.window: 16, .temperature: 1, .smoothing: 0, .decay: 0.12],
        scores: { configuration in
            switch configuration.smoothing {
            case .mean: SwimPooling(window: configuration.window)
            case .ema: EMAPooling(decay: configuration.decay)
            }
        }
    ) { kind in
        kind.tasks = [.binary, .multilabel]
        kind.tokenLoss = { Loss(SlidingMeanLoss(window: $0.window, temperature: $0.temperature)) }
        kind.grid = Grid(rank: 6) { $0.isBinary ? [.init()] : [] }
    }
}

/// How a swim probe smooths the scores of tokens.
public enum Smoothing: String, Sendable, CaseIterable {
    /// The mean of a window of tokens.
    case mean
    /// The exponential mean of all tokens so far.
    case ema
}

struct SwimPooling: ScorePooling {
    /// M.
    let window: Int

    func pool(_ z: Span<Float>) -> Float { best(z).mean }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        let range = best(z).range
        for j in range { dz[j] = g / Float(range.count) }
    }

    private func best(_ z: Span<Float>) -> (range: Range<Int>, mean: Float) {
        // Each window anew: a running sum would carry its rounding errors along.
        var (best, largest) = (0..<1, -Double.infinity)
        for end in 1...z.count {
            let range = max(0, end - window)..<end
            var sum = 0.0
            for j in range { sum += Double(z[j]) }
            let mean = sum / Double(range.count)
            if mean > largest { (best, largest) = (range, mean) }
        }
        return (best, Float(largest))
    }
}

// The largest sliding mean, and the last M scores.
extension SwimPooling: PrefixPooling {
    var stateCount: Int { 1 + window }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        state[start] = -.infinity
        SlidingWindow(count: window).begin(&state, at: start + 1)
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        let sum = SlidingWindow(count: window).add(z, &state, at: start + 1, seen: seen)
        state[start] = Swift.max(state[start], sum / Double(min(seen + 1, window)))
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float { Float(state[start]) }
}
