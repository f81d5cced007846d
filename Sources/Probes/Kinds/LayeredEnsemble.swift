// An ensemble across layers: parts that each read one of several layers which stand side by side in the states. The parts of
// a layer share one product with its columns alone.
import Tensors

struct LayeredEnsembleEvaluator: ProbeEvaluator {
    // Of each layer its columns, its first part, and what takes its parts forward.
    private let layers: [(columns: Range<Int>, first: Int, pass: TokenPass)]
    private let sum: EnsembleSum

    /// None: products are with the states of one layer each.
    let tokenWeights: ArraySlice<Float> = []
    /// Each layer is looked at by its own pass.
    let meetsAllTokens = true

    /// - Precondition: the parts read several layers, as `ProbeConfiguration.partLayers` says.
    init(_ shape: EnsembleArchitecture, _ parts: [any ProbeEvaluator], _ sum: EnsembleSum) {
        self.sum = sum
        layers = (0...shape.layers.last!).map { layer in
            let own = shape.layers.indices.filter { shape.layers[$0] == layer }
            return (
                shape.columns(of: own[0]), own[0],
                TokenPass(own.map { parts[$0] }, width: shape.parts[own[0]].width)
            )
        }
    }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        // Products of one layer have a place of their own: the others' in `work` may still be wanted.
        var own = work.inner.popLast() ?? Workspace()
        defer { work.inner.append(own) }
        sum.begin(&own)
        for layer in layers {
            try layer.pass.forward(sequence.columns([layer.columns]), &own) { i, own in
                sum.add(layer.first + i, tokens: sequence.count, to: &own)
            }
        }
        try sum.end(&own)
        swap(&work.outputs, &own.outputs)
        swap(&work.attention, &own.attention)
        swap(&work.entropies, &own.entropies)
    }

    /// - Precondition: none holds; parts are trained one by one.
    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) { preconditionFailure("an ensemble is not trained as one") }
}
