// The mean of the K largest sliding means z̄_t = (1/M) Σ_{s<M} z_{t-s}, t = M … n, of all where there are fewer; where
// n < M, one z̄ alone: the mean of all ("SC-TopK", He et al., 2026, arXiv 2604.14865, with M = 16 and K = 8). So that no few
// tokens decide, evidence has to last over several windows. Its loss has a term for negatives: `SegmentCoherenceLoss`.
import ProbeMetrics

extension ProbeKind {
    /// The mean of the largest sliding means of scores, trained to be steady over negatives.
    public static let scTopK = ProbeKind(
        "sc-topk", [.k: 8, .window: 16, .temperature: 2, .coherence: 0.01],
        scores: { SegmentTopKPooling(window: $0.window, k: $0.k) }
    ) { kind in
        kind.tasks = [.binary, .multilabel]
        kind.tokenLoss = { configuration in
            Loss(
                SegmentCoherenceLoss(
                    window: configuration.window, k: configuration.k,
                    temperature: configuration.temperature, coherence: configuration[.coherence]))
        }
    }
}

struct SegmentTopKPooling: ScorePooling {
    private let window: SlidingWindow
    private let largest: TopKPooling

    /// - Parameters:
    ///   - window: M.
    ///   - k: K.
    init(window: Int, k: Int) {
        self.window = SlidingWindow(count: window)
        largest = TopKPooling(k: k)
    }

    private func means(_ z: Span<Float>) -> [Float] {
        let width = min(window.count, z.count)
        return (width...z.count).map { end in
            // Each window anew: a running sum would carry its rounding errors along.
            var sum = 0.0
            for j in end - width..<end { sum += Double(z[j]) }
            return Float(sum / Double(width))
        }
    }

    func pool(_ z: Span<Float>) -> Float { largest.pool(means(z).span) }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        let means = means(z)
        let width = z.count - means.count + 1
        var slopes = means
        var span = slopes.mutableSpan
        largest.backward(means.span, g, into: &span)
        for (t, slope) in slopes.enumerated() where slope != 0 {
            for j in t..<t + width { dz[j] += slope / Float(width) }
        }
    }
}

// The last M scores, and the K largest means of M.
extension SegmentTopKPooling: PrefixPooling {
    var stateCount: Int { window.count + largest.stateCount }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        window.begin(&state, at: start)
        largest.begin(&state, at: start + window.count)
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        let sum = window.add(z, &state, at: start, seen: seen)
        guard seen + 1 >= window.count else { return }
        largest.advance(
            &state, at: start + window.count, Float(sum / Double(window.count)),
            seen: seen + 1 - window.count)
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float {
        guard seen < window.count else {
            return largest.value(state, at: start + window.count, seen: seen + 1 - window.count)
        }
        var sum = 0.0
        for i in 0..<seen { sum += state[start + i] }
        return Float(sum / Double(seen))
    }
}
