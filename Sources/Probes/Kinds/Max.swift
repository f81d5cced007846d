// max_j z_j, the first of equals (McKenzie et al., 2025, arXiv 2506.10805; with several heads the
// MultiMax probe of Kramár et al., 2026, arXiv 2601.11516).

extension ProbeKind {
    /// The largest score of a token.
    public static let max = ProbeKind("max", scores: { _ in MaxPooling() })
}

struct MaxPooling: ScorePooling {
    func pool(_ z: Span<Float>) -> Float { z[first(z)] }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        dz[first(z)] = g
    }

    private func first(_ z: Span<Float>) -> Int {
        var best = 0
        for j in z.indices where z[j] > z[best] { best = j }
        return best
    }
}

// The largest score so far.
extension MaxPooling: PrefixPooling {
    var stateCount: Int { 1 }
    var isMergeable: Bool { true }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) { state[start] = -.infinity }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        state[start] = Swift.max(state[start], Double(z))
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float { Float(state[start]) }

    func merge(_ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int) {
        state[start] = Swift.max(state[start], later[place])
    }
}
