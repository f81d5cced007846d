// The loss of an sc-topk probe (He et al., 2026, arXiv 2604.14865), of the scores z_1 … z_n of the tokens of a sequence,
// their sliding means z̄_1 … z̄_T and a label y from 0 to 1:
//
//     s = the mean of the K largest z̄_t, of all where T < K; of equals the earlier
//     p_t = σ(z̄_t/τ)
//     loss = log(1 + e^s) - y·s + λ·(1 - y)·(1/T) Σ_t (p_t - p̄)²
//
// so that a negative must have no few windows that stand out. ∂Var/∂z̄_t = 2·(p_t - p̄)·p_t·(1 - p_t)/(τ·T).
private import Glibc
package import Activations

/// Of scores of tokens, the cross-entropy of their largest sliding means, and for negatives how much all of these vary.
/// With several labels a sequence, the scores of the first label come first, and the loss is the mean over labels.
package struct SegmentCoherenceLoss: LossFunction {
    private let window: Int
    private let k: Int
    private let temperature: Double
    private let coherence: Double

    /// - Parameters:
    ///   - window: M, at least 1.
    ///   - k: K, at least 1.
    ///   - temperature: τ, above 0.
    ///   - coherence: λ.
    package init(window: Int, k: Int, temperature: Float, coherence: Float) {
        (self.window, self.k) = (window, k)
        (self.temperature, self.coherence) = (Double(temperature), Double(coherence))
    }

    package func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        meanOverLabels(outputs, target, gradient: &gradient) { z, label, factor, gradient in
            let means = SlidingMeans(z, window: window)
            let (values, count) = (means.values, Double(means.values.count))
            let largest = values.indices.sorted {
                values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1]
            }.prefix(k)
            let score = largest.reduce(0) { $0 + values[$1] } / Double(largest.count)
            var slope = 0.0
            let loss = LogisticLoss.value(score, label, derivative: &slope)
            let p = values.map { 1 / (1 + exp(-$0 / temperature)) }
            let mean = p.reduce(0, +) / count
            let weight = coherence * (1 - label)
            var slopes = p.map { 2 * weight * ($0 - mean) * $0 * (1 - $0) / (temperature * count) }
            for t in largest { slopes[t] += slope / Double(largest.count) }
            means.backward(slopes, factor, into: &gradient, at: z.startIndex)
            return loss + weight * p.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        }
    }
}
