// The mean of the k largest z_j, of all if there are fewer (McKenzie et al., 2025, arXiv 2506.10805).
// Of equal scores the earlier token counts as larger.

extension ProbeKind {
    /// The mean of the k largest scores.
    public static let topk = ProbeKind("topk", [.k: 5], scores: { TopKPooling(k: $0.k) })
}

struct TopKPooling: ScorePooling {
    let k: Int

    func pool(_ z: Span<Float>) -> Float {
        let largest = largest(z)
        return Float(largest.reduce(0.0) { $0 + Double(z[$1]) } / Double(largest.count))
    }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        let largest = largest(z)
        for j in largest { dz[j] = g / Float(largest.count) }
    }

    private func largest(_ z: Span<Float>) -> [Int] {
        var order = Array(z.indices)
        order.sort { z[$0] == z[$1] ? $0 < $1 : z[$0] > z[$1] }
        return Array(order.prefix(k))
    }
}

// The k largest scores so far, the largest first; -∞ where there are fewer.
extension TopKPooling: PrefixPooling {
    var stateCount: Int { k }
    var isMergeable: Bool { true }

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for i in 0..<k { state[start + i] = -.infinity }
    }

    func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
        insert(Double(z), &state, start)
    }

    private func insert(_ z: Double, _ state: inout MutableSpan<Double>, _ start: Int) {
        var place = start + k - 1
        guard z > state[place] else { return }
        while place > start, state[place - 1] < z {
            state[place] = state[place - 1]
            place -= 1
        }
        state[place] = z
    }

    func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float {
        let count = Swift.min(k, seen)
        var sum = 0.0
        for i in 0..<count { sum += state[start + i] }
        return Float(sum / Double(count))
    }

    func merge(_ state: inout MutableSpan<Double>, at start: Int, _ later: Span<Double>, at place: Int) {
        for i in 0..<k { insert(later[place + i], &state, start) }
    }
}
