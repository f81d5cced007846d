import Probes

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019): with gradient g at step t,
///
///     m ← β₁·m + (1 - β₁)·g          v ← β₂·v + (1 - β₂)·g²
///     θ ← θ - η·(m/(1 - β₁ᵗ)) / (√(v/(1 - β₂ᵗ)) + ε) - η·λ·θ      the last term for weights only
///
/// with β₁ = 0.9, β₂ = 0.999, ε = 1e-8, PyTorch's defaults.
struct AdamW {
    private let weightDecay: [Float]
    private var m, v: [Float]
    private var power: (first: Float, second: Float) = (1, 1)

    /// - Parameters:
    ///   - weightDecay: λ.
    ///   - isTrained: which parameters decay; nil for all weights.
    init(_ tensors: [ParameterTensor], weightDecay: Float, isTrained: [Bool]? = nil) {
        var decays = tensors.flatMap { Array(repeating: $0.isPenalised ? weightDecay : 0, count: $0.count) }
        if let isTrained { for i in decays.indices where !isTrained[i] { decays[i] = 0 } }
        self.weightDecay = decays
        m = Array(repeating: 0, count: tensors.parameterCount)
        v = m
    }

    /// One step with η = `learningRate`.
    mutating func step(_ parameters: inout [Float], _ gradient: [Float], learningRate: Float) {
        let (beta1, beta2): (Float, Float) = (0.9, 0.999)
        power = (power.first * beta1, power.second * beta2)
        let (first, second) = (1 / (1 - power.first), 1 / (1 - power.second))
        for i in parameters.indices {
            let g = gradient[i]
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g * g
            let step = m[i] * first / ((v[i] * second).squareRoot() + 1e-8)
            parameters[i] -= learningRate * (step + weightDecay[i] * parameters[i])
        }
    }
}
