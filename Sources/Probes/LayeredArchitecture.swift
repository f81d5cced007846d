// Two layers that look at every token before a probe does (Kramár et al., 2026, arXiv 2601.11516): with U units, for the
// unmasked tokens j of a sequence
//
//     y_j = relu(W₂·relu(W₁·x_j + c₁) + c₂)
//
// takes the place of x_j in the formula of the probe behind them.
import Tensors

/// A probe on tokens behind two rectified layers.
struct LayeredArchitecture: ProbeArchitecture {
    let width: Int
    /// U, the units of either layer.
    let units: Int
    /// The probe of the U values of a token.
    let inner: any ProbeArchitecture

    var outputs: Int { inner.outputs }

    /// - Precondition: sizes are positive; `inner` takes tokens of width `units`, and all that the gradient of its
    ///   evaluator by the tokens needs is the gradient by its products with them, `Workspace.projectionGradient`.
    init(width: Int, units: Int, _ inner: any ProbeArchitecture) {
        precondition(width > 0 && units > 0 && inner.width == units)
        (self.width, self.units, self.inner) = (width, units, inner)
    }

    /// A probe for hidden states of `width`: one that takes them as they are where there are no units, else one behind
    /// layers of them.
    static func behind(
        _ units: Int, width: Int, _ probe: (_ width: Int) -> any ProbeArchitecture
    ) -> any ProbeArchitecture {
        units == 0 ? probe(width) : LayeredArchitecture(width: width, units: units, probe(units))
    }

    /// `mlp.0.weight` (U,D), `mlp.0.bias`, `mlp.2.weight` (U,U) and `mlp.2.bias`, as PyTorch numbers the
    /// layers of a Sequential, then those of the probe behind them with U in place of D.
    var tensors: [ParameterTensor] {
        let layers = [
            ParameterTensor(
                "mlp.0.weight", shape: [units, width], role: .tokenWeights(bias: "mlp.0.bias")),
            ParameterTensor("mlp.0.bias", shape: [units], role: .bias),
            ParameterTensor("mlp.2.weight", shape: [units, units], role: .outputWeights),
            ParameterTensor("mlp.2.bias", shape: [units], role: .bias),
        ]
        return layers
            + inner.tensors.map { tensor in
                var tensor = tensor
                if case .tokenWeights = tensor.role { tensor.role = .outputWeights }
                return tensor
            }
    }

    /// Products, either layer and its gradient, and the second layer as tokens.
    var numbersPerToken: Int { 6 * units + inner.numbersPerToken }

    /// Layers as PyTorch's `Linear` starts them, uniform over ±1/√inputs, and the probe as it starts.
    func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        let layers = [(units * width + units, width), (units * units + units, units)]
        return layers.flatMap { count, inputs in
            (0..<count).map { _ in (2 * generator.uniform() - 1) / Float(inputs).squareRoot() }
        } + inner.initialParameters(&generator)
    }

    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator { LayeredEvaluator(self, parameters) }

    func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? {
        inner.prefixRule(Array(parameters[innerStart...])).map { LayeredRule(self, parameters, $0) }
    }

    // Where the parameters of the probe behind the layers start, and W₂ stands.
    var innerStart: Int { second.upperBound + units }
    var second: Range<Int> { tensors.range(of: "mlp.2.weight")! }
}

private struct LayeredEvaluator: ProbeEvaluator {
    private let shape: LayeredArchitecture
    private let parameters: [Float]
    private let second: Range<Int>
    private let inner: any ProbeEvaluator
    private let innerStart: Int
    private let innerPass: TokenPass

    init(_ shape: LayeredArchitecture, _ parameters: [Float]) {
        precondition(parameters.count == shape.tensors.parameterCount, "parameters of another architecture")
        self.shape = shape
        self.parameters = parameters
        second = shape.second
        innerStart = shape.innerStart
        inner = shape.inner.evaluator(Array(parameters[innerStart...]))
        innerPass = TokenPass([inner], width: shape.units)
    }

    // W₁: U×D
    var tokenWeights: ArraySlice<Float> { parameters[..<(shape.units * shape.width)] }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let (n, units) = (sequence.count, shape.units)
        guard allFinite(work.projections[row * n..<(row + units) * n]) else { throw NonFiniteProjection() }
        // Either layer U×n.
        work.layers.first.reset(to: work.projections[row * n..<(row + units) * n])
        rectify(&work.layers.first, biases: units * shape.width, n)
        work.layers.second.reset(count: units * n)
        BLAS.product(
            .no, .no, m: units, n: n, k: units, parameters[second], work.layers.first[...],
            into: &work.layers.second)
        rectify(&work.layers.second, biases: second.upperBound, n)

        var tokens = [Float](repeating: 0, count: sequence.rows.count * units)
        for j in 0..<n {
            let start = sequence.position(j) * units
            for u in 0..<units { tokens[start + u] = work.layers.second[u * n + j] }
        }
        let hidden = sequence.replacing(tokens: TokenMatrix(tokens, columns: units))
        if work.inner.isEmpty { work.inner = [Workspace()] }
        try innerPass.forward(hidden, &work.inner[0])
        work.outputs.reset(to: work.inner[0].outputs[...])
        work.attention.reset(to: work.inner[0].attention[...])
        work.entropies.reset(to: work.inner[0].entropies[...])
        work.layers.tokens = hidden
    }

    private func rectify(_ layer: inout [Float], biases: Int, _ n: Int) {
        for u in 0..<shape.units {
            let bias = parameters[biases + u]
            for i in u * n..<(u + 1) * n { layer[i] = max(layer[i] + bias, 0) }
        }
    }

    // With A₁ and Y the layers, U×n, and G = ∂loss/∂(V·Y), R×n, by the products with the R rows V of the probe behind them:
    //     ∂Y = Vᵀ·G where Y > 0            ∂W₂ = ∂Y·A₁ᵀ      ∂c₂ = Σ_j ∂Y
    //     ∂A₁ = W₂ᵀ·∂Y where A₁ > 0        ∂W₁ = ∂A₁·X       ∂c₁ = Σ_j ∂A₁
    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        let (n, units) = (sequence.count, shape.units)
        var innerGradient = [Float](repeating: 0, count: parameters.count - innerStart)
        inner.backward(
            work.layers.tokens!, outputGradient: outputGradient, &work.inner[0], gradient: &innerGradient)
        for (i, g) in innerGradient.enumerated() { gradient[innerStart + i] += g }

        let rows = inner.tokenWeights.count / units
        work.layers.secondGradient.reset(count: units * n)
        BLAS.product(
            .yes, .no, m: units, n: n, k: rows, inner.tokenWeights,
            work.inner[0].projectionGradient[..<(rows * n)], into: &work.layers.secondGradient)
        addBiases(&work.layers.secondGradient, work.layers.second, n, &gradient, at: second.upperBound)
        BLAS.product(
            .no, .yes, m: units, n: units, k: n, work.layers.secondGradient[...],
            work.layers.first[...], beta: 1, into: &gradient, at: second.lowerBound)
        work.layers.firstGradient.reset(count: units * n)
        BLAS.product(
            .yes, .no, m: units, n: n, k: units, parameters[second], work.layers.secondGradient[...],
            into: &work.layers.firstGradient)
        addBiases(&work.layers.firstGradient, work.layers.first, n, &gradient, at: units * shape.width)
        sequence.addWeightedSums(
            work.layers.firstGradient, rows: units, to: &gradient, scratch: &work.tokens)
    }

    // Clears a layer's gradient where the layer was cut off at 0, and adds up each unit's.
    private func addBiases(
        _ layerGradient: inout [Float], _ layer: [Float], _ n: Int, _ gradient: inout [Float], at start: Int
    ) {
        for u in 0..<shape.units {
            var sum: Float = 0
            for i in u * n..<(u + 1) * n {
                if layer[i] > 0 { sum += layerGradient[i] } else { layerGradient[i] = 0 }
            }
            gradient[start + u] += sum
        }
    }
}

/// The layers of one sequence and their gradients, U×n, and the second as tokens.
struct LayerWorkspace: Sendable {
    var first: [Float] = []
    var second: [Float] = []
    var firstGradient: [Float] = []
    var secondGradient: [Float] = []
    var tokens: TokenSequence?
}
