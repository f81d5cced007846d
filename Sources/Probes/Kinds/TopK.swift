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
