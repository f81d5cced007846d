import Tensors
import Probes

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019): with gradient g at step t,
///
///     m ← β₁·m + (1 - β₁)·g          v ← β₂·v + (1 - β₂)·g²
///     θ ← θ - η·(m/(1 - β₁ᵗ)) / (√(v/(1 - β₂ᵗ)) + ε) - η·λ·θ      the last term for weights only
///
/// with β₁ = 0.9, β₂ = 0.999, ε = 1e-8, PyTorch's defaults.
struct AdamW {
    // The parameters that are trained, and their λ.
    private let parts: [(range: Range<Int>, decay: Float)]
    private let threads: Int
    private var m, v: [Float]
    private var power: (first: Float, second: Float) = (1, 1)

    /// - Parameters:
    ///   - weightDecay: λ.
    ///   - trained: the parts of the flat vector that are trained; nil for all.
    init(_ tensors: [ParameterTensor], weightDecay: Float, trained: [Range<Int>]? = nil, threads: Int = 1) {
        parts = tensors.placed.flatMap { tensor, range in
            (trained ?? [range]).map { ($0.clamped(to: range), tensor.isPenalised ? weightDecay : 0) }
        }
        self.threads = threads
        m = Array(repeating: 0, count: tensors.parameterCount)
        v = m
    }

    /// One step with η = `learningRate`.
    mutating func step(_ parameters: inout [Float], _ gradient: [Float], learningRate: Float) {
        power = (power.first * 0.9, power.second * 0.999)
        for (range, decay) in parts where !range.isEmpty {
            Parallel.stepAdamW(
                &parameters, &m, &v, gradient, in: range, first: 1 / (1 - power.first),
                second: 1 / (1 - power.second), rate: learningRate, decay: decay, threads: threads)
        }
    }
}
