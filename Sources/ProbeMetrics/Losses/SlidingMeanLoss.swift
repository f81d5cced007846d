// The loss of a swim probe (Constitutional Classifiers++, Cunningham et al., 2026, arXiv 2601.04603, section 5), of the
// scores z_1 … z_n of the tokens of a sequence and a label y from 0 to 1:
//
//     z̄_t = (1/M) Σ_{s<M} z_{t-s}                     t = M … n; where n < M, one z̄ alone: the mean of all
//     a_t = exp(z̄_t/τ) / Σ_s exp(z̄_s/τ)
//     loss = Σ_t a_t·ℓ_t                              ℓ_t = log(1 + e^{z̄_t}) - y·z̄_t
//
// so that of a positive only the windows that score high have to, and of a negative none may. The weights a are part
// of the gradient: ∂loss/∂z̄_t = a_t·(∂ℓ_t/∂z̄_t + (ℓ_t - loss)/τ).
private import Glibc
package import Activations

/// Of scores of tokens, their sliding means weighted by a softmax of themselves. With several labels a sequence, the
/// scores of the first label come first, and the loss is the mean over labels.
package struct SlidingMeanLoss: LossFunction {
    private let window: Int
    private let temperature: Double

    /// - Parameters:
    ///   - window: M, at least 1.
    ///   - temperature: τ, above 0.
    package init(window: Int, temperature: Float) {
        self.window = window
        self.temperature = Double(temperature)
    }

    package func callAsFunction<Number: BinaryFloatingPoint>(
        _ outputs: [Number], _ target: Target, gradient: inout [Number]
    ) -> Double {
        meanOverLabels(outputs, target, gradient: &gradient) { z, label, factor, gradient in
            let means = SlidingMeans(z, window: window)
            let largest = means.values.max()!
            var weights = means.values.map { exp(($0 - largest) / temperature) }
            let sum = weights.reduce(0, +)
            for t in weights.indices { weights[t] /= sum }
            var (total, slopes, losses) = (0.0, means.values, means.values)
            for (t, mean) in means.values.enumerated() {
                losses[t] = LogisticLoss.value(mean, label, derivative: &slopes[t])
                total += weights[t] * losses[t]
            }
            for t in slopes.indices {
                slopes[t] = weights[t] * (slopes[t] + (losses[t] - total) / temperature)
            }
            means.backward(slopes, factor, into: &gradient, at: z.startIndex)
            return total
        }
    }
}
