package import Tensors

/// The shape of a probe: which parameters it has and how they turn tokens into outputs.
///
/// Letters: L tokens of a sequence, n of them unmasked, D width, O outputs.
package protocol ProbeArchitecture: Sendable {
    /// D, the width of a hidden state.
    var width: Int { get }
    /// O, the number of outputs.
    var outputs: Int { get }
    /// The parameters, in the order of the flat vector and of the probe file.
    var tensors: [ParameterTensor] { get }
    /// Numbers that training has in memory of every unmasked token of a sequence, at the least.
    var numbersPerToken: Int { get }
    /// What scoring multiplies a token with, in rows of weights: where tokens are pooled by H weights each, H rows more.
    var rowsPerToken: Int { get }
    /// Parts of the flat vector that are trained one after the other, while all else stays; none where all is trained
    /// at once.
    var stages: [[Range<Int>]] { get }
    /// Where training starts.
    func initialParameters(_ generator: inout SeededGenerator) -> [Float]
    /// Parameters made ready to meet many sequences. O(parameters).
    ///
    /// - Precondition: as many parameters as the tensors have elements.
    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator
    /// The same parameters made ready to score many sequences, which may take longer to make.
    ///
    /// - Precondition: as many parameters as the tensors have elements.
    func scorer(_ parameters: [Float]) -> any ProbeEvaluator
    /// The same parameters made ready to score token by token; nil for what has to see a sequence as a whole.
    ///
    /// - Precondition: as many parameters as the tensors have elements.
    func prefixRule(_ parameters: [Float]) -> (any PrefixRule)?
}

extension ProbeArchitecture {
    /// None: tokens are taken a tile at a time.
    package var numbersPerToken: Int { 0 }
    /// The rows that multiply hidden states.
    package var rowsPerToken: Int {
        tensors.reduce(0) { sum, tensor in
            if case .tokenWeights = tensor.role { sum + tensor.count / width } else { sum }
        }
    }
    /// None.
    package var stages: [[Range<Int>]] { [] }
    /// That of `evaluator`.
    package func scorer(_ parameters: [Float]) -> any ProbeEvaluator { evaluator(parameters) }
    /// None.
    package func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? { nil }
}

/// A probe's parameters in the form its products want.
package protocol ProbeEvaluator: Sendable {
    /// Weight rows, R×D, whose products with every unmasked token `forward` starts from: none for
    /// probes that pool the tokens as they are. Who calls computes them, for several probes at once.
    var tokenWeights: ArraySlice<Float> { get }

    /// Whether `forward` throws for a NaN or infinity in any unmasked token: true by default where there are
    /// `tokenWeights`, whose products then are not finite.
    var meetsAllTokens: Bool { get }

    /// Computes `workspace.outputs` (O values), and `workspace.attention` and `workspace.entropies`
    /// where there are any, from the unmasked tokens of one sequence.
    ///
    /// - Parameter row: where the R products with `tokenWeights` start in `workspace.projections`.
    /// - Throws: `NonFiniteProjection` where a product of tokens and weights is no finite number.
    func forward(
        _ sequence: TokenSequence, row: Int, _ workspace: inout Workspace
    ) throws(NonFiniteProjection)

    /// Adds ∂loss/∂parameters to `gradient`, given ∂loss/∂outputs.
    ///
    /// - Precondition: `forward` was the last call with this workspace, for the same sequence and
    ///   with `row` 0.
    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ workspace: inout Workspace,
        gradient: inout [Float])

    /// Adds the gradients of several sequences, in whatever order of operations is fastest; `backward`
    /// after `forward`, one sequence after the other, unless an evaluator knows better.
    ///
    /// - Parameters:
    ///   - projection: the products with `tokenWeights`; nil if there are none.
    ///   - loss: sets `outputGradient` from `outputs` in the workspace it is given, for the i-th sequence.
    /// - Throws: `NonFiniteProjection` as `forward` does, for any of them.
    func addGradients(
        _ sequences: [TokenSequence], _ projection: Projection?, _ workspace: inout Workspace,
        gradient: inout [Float], loss: (Int, inout Workspace) -> Void
    ) throws(NonFiniteProjection)
}

extension ProbeEvaluator {
    /// True where there are `tokenWeights`.
    package var meetsAllTokens: Bool { !tokenWeights.isEmpty }

    /// `forward`, `loss` and `backward`, one sequence after the other.
    package func addGradients(
        _ sequences: [TokenSequence], _ projection: Projection?, _ work: inout Workspace,
        gradient: inout [Float], loss: (Int, inout Workspace) -> Void
    ) throws(NonFiniteProjection) {
        for (i, sequence) in sequences.enumerated() {
            try addGradient(sequence, projection, &work, gradient: &gradient) { loss(i, &$0) }
        }
    }

    func addGradient(
        _ sequence: TokenSequence, _ projection: Projection?, _ work: inout Workspace,
        gradient: inout [Float], loss: (inout Workspace) -> Void
    ) throws(NonFiniteProjection) {
        projection?.apply(sequence, into: &work.projections, scratch: &work.tokens)
        try forward(sequence, row: 0, &work)
        loss(&work)
        backward(sequence, outputGradient: work.outputGradient, &work, gradient: &gradient)
    }
}

/// A product of hidden states and weights is NaN or infinite: the hidden states are, or the
/// product overflows.
package struct NonFiniteProjection: Error {
    /// The only value there is.
    package init() {}
}

/// Buffers that one thread uses for one sequence after the other. They grow to the longest
/// sequence and stay: no allocation per sequence.
package struct Workspace: Sendable {
    /// The results of `forward`: O values.
    package var outputs: [Float] = []
    /// The gradient of the loss by `outputs`.
    package var outputGradient: [Float] = []
    /// Attention of each head over the unmasked tokens, H×n; meaningless for probes without heads.
    package var attention: [Float] = []
    /// Entropy of each head's attention in nats: H values for a softmax, else none.
    package var entropies: [Float] = []
    /// Hidden states widened from half precision or gathered around a mask.
    package var tokens: [Float] = []
    /// Products of weight rows and tokens, R×n.
    package var projections: [Float] = []
    /// Gradient of the loss by `projections`, R×n.
    var projectionGradient: [Float] = []
    /// Weighted sums of tokens, H×D or 1×D.
    var pooled: [Float] = []
    /// Sums of tokens, D.
    var sums: [Double] = []
    /// Value rows combined by the gradient of the pooled values, H×D.
    var combined: [Float] = []
    /// Pooled values and their gradient: M with a hidden layer, else O.
    var values: [Float] = []
    var valueGradient: [Float] = []
    /// Positions of the unmasked tokens, the first n, and what each head has seen of them, H.
    var positions: [Float] = []
    var heads: [RunningSoftmax] = []
    /// What sequences that meet the value rows together leave for each other.
    var group = GroupWorkspace()
    /// Layers before attention, and the workspace of the attention behind them: one or none.
    var layers = LayerWorkspace()
    var inner: [Workspace] = []
    /// What the parts of an ensemble have left so far.
    var parts = PartsWorkspace()
    /// Rectified values: the units of a hidden layer, M.
    var rectified: [Float] = []

    /// An empty workspace.
    package init() {}
}
