// Several probes of any kinds over the same states as one. With y_i the outputs of part i,
//
//     y[o] = b[o] + Σ_i w_i·(y_i[o] - m_i[o]) / s_i[o]
//
// m and s bring the outputs of all parts to one scale, w says how much each counts. Heads of parts that attend are
// the heads of the ensemble, one part after the other. Parts may each read one of several layers that stand side by side in
// the states; then part i is as its own probe of the states of that layer (LayeredEnsemble.swift). Averages of unlike models: Breiman, 1996, "Stacked regressions";
// weights that are not negative: the same.
import Tensors

extension ProbeKind {
    /// Several fitted probes, whose outputs are added up. It is fitted to no task: `Probe.ensemble` makes it.
    package static let ensemble = ProbeKind(
        "ensemble",
        architecture: { configuration, width, outputs in
            EnsembleArchitecture(
                configuration.parts.map {
                    $0.architecture(width: width / configuration.layerCount, outputs: outputs)
                },
                heads: configuration.parts.map { $0.attends ? $0.heads : 0 },
                layers: configuration.partLayers)
        }
    ) { $0.tasks = [] }
}

/// The shape of a probe of parts.
struct EnsembleArchitecture: ProbeArchitecture {
    let parts: [any ProbeArchitecture]
    /// H of each part that attends, 0 of the others.
    let heads: [Int]
    /// Which of several layers each part reads; none where all read all of the state.
    let layers: [Int]

    /// - Precondition: there is a part, and all have one width and one number of outputs.
    init(_ parts: [any ProbeArchitecture], heads: [Int], layers: [Int] = []) {
        precondition(
            !parts.isEmpty
                && parts.allSatisfy { $0.width == parts[0].width && $0.outputs == parts[0].outputs },
            "parts of different shapes")
        (self.parts, self.heads, self.layers) = (parts, heads, layers)
    }

    var width: Int { parts[0].width * ((layers.last ?? 0) + 1) }
    var outputs: Int { parts[0].outputs }
    var rowsPerToken: Int { parts.reduce(0) { $0 + $1.rowsPerToken } }

    /// Those of each part as `parts.I.NAME`, and then `weights` w (P), `shifts` m (P,O), `scales` s (P,O) and `bias` b (O).
    var tensors: [ParameterTensor] {
        parts.enumerated().flatMap { i, part in part.tensors.map { $0.prefixed("parts.\(i).") } } + [
            ParameterTensor("weights", shape: [parts.count], role: .outputWeights),
            ParameterTensor("shifts", shape: [parts.count, outputs], role: .bias),
            ParameterTensor("scales", shape: [parts.count, outputs], role: .outputWeights),
            ParameterTensor("bias", shape: [outputs], role: .bias),
        ]
    }

    /// Where the parameters of a part are.
    func range(of part: Int) -> Range<Int> {
        let start = parts[..<part].reduce(0) { $0 + $1.tensors.parameterCount }
        return start..<start + parts[part].tensors.parameterCount
    }

    /// Parts as their kinds begin, of equal weight.
    func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        let own = parts.flatMap { $0.initialParameters(&generator) }
        let (count, size) = (parts.count, parts.count * outputs)
        return own + Array(repeating: 1 / Float(count), count: count) + Array(repeating: 0, count: size)
            + Array(repeating: 1, count: size) + Array(repeating: 0, count: outputs)
    }

    /// The columns of the states that a part reads.
    func columns(of part: Int) -> Range<Int> {
        let (width, layer) = (parts[part].width, layers.isEmpty ? 0 : layers[part])
        return layer * width..<(layer + 1) * width
    }

    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        let parts = self.parts.enumerated().map { $1.evaluator(Array(parameters[range(of: $0)])) }
        let sum = EnsembleSum(self, parameters)
        return layers.isEmpty
            ? EnsembleEvaluator(parts, sum, width: width) : LayeredEnsembleEvaluator(self, parts, sum)
    }

    /// Nil where one of the parts has to see a sequence as a whole.
    func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? {
        let rules = parts.indices.compactMap { parts[$0].prefixRule(Array(parameters[range(of: $0)])) }
        return rules.count == parts.count
            ? EnsembleRule(
                rules, Combination(self, parameters), columns: parts.indices.map(columns), width: width) : nil
    }
}

/// How the outputs of parts become those of an ensemble: y[o] = b'[o] + Σ_i f_i[o]·y_i[o] with f = w/s and
/// b' = b - Σ_i f_i·m_i.
struct Combination: Sendable {
    /// f, P×O.
    let factors: [Float]
    /// b', O.
    let constants: [Float]

    init(_ shape: EnsembleArchitecture, _ parameters: [Float]) {
        let (tensors, outputs) = (shape.tensors, shape.outputs)
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        func values(_ name: String) -> ArraySlice<Float> { parameters[tensors.range(of: name)!] }
        let (weights, shifts, scales) = (
            Array(values("weights")), Array(values("shifts")), Array(values("scales"))
        )
        factors = scales.indices.map { weights[$0 / outputs] / scales[$0] }
        var constants = values("bias").map(Double.init)
        for (i, factor) in factors.enumerated() {
            constants[i % outputs] -= Double(factor) * Double(shifts[i])
        }
        self.constants = constants.map { Float($0) }
    }
}

/// Takes what the parts of an ensemble leave for a sequence, one after the other, and leaves what the ensemble does.
struct EnsembleSum: Sendable {
    private let combination: Combination
    private let heads: [Int]

    init(_ shape: EnsembleArchitecture, _ parameters: [Float]) {
        (combination, heads) = (Combination(shape, parameters), shape.heads)
    }

    func begin(_ work: inout Workspace) {
        work.parts.outputs.reset(to: combination.constants[...])
        work.parts.attention.removeAll(keepingCapacity: true)
        work.parts.entropies.removeAll(keepingCapacity: true)
    }

    /// Adds what part i has left of n tokens.
    func add(_ i: Int, tokens n: Int, to work: inout Workspace) {
        let outputs = work.outputs.count
        for o in 0..<outputs {
            work.parts.outputs[o] += combination.factors[i * outputs + o] * work.outputs[o]
        }
        guard heads[i] > 0 else { return }
        work.parts.attention += work.attention[..<(heads[i] * n)]
        work.parts.entropies += work.entropies
    }

    func end(_ work: inout Workspace) throws(NonFiniteProjection) {
        swap(&work.outputs, &work.parts.outputs)
        swap(&work.attention, &work.parts.attention)
        swap(&work.entropies, &work.parts.entropies)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }
}

private struct EnsembleEvaluator: ProbeEvaluator {
    private let parts: [any ProbeEvaluator]
    // The first row of each part's products.
    private let rows: [Int]
    private let sum: EnsembleSum
    let tokenWeights: ArraySlice<Float>
    let meetsAllTokens: Bool

    init(_ parts: [any ProbeEvaluator], _ sum: EnsembleSum, width: Int) {
        (self.parts, self.sum) = (parts, sum)
        var (rows, weights): ([Int], [Float]) = ([], [])
        for part in parts {
            rows.append(weights.count / width)
            weights += part.tokenWeights
        }
        (self.rows, tokenWeights) = (rows, weights[...])
        meetsAllTokens = parts.contains(where: \.meetsAllTokens)
    }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        sum.begin(&work)
        for (i, part) in parts.enumerated() {
            try part.forward(sequence, row: row + rows[i], &work)
            sum.add(i, tokens: sequence.count, to: &work)
        }
        try sum.end(&work)
    }

    /// - Precondition: none holds; parts are trained one by one.
    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) { preconditionFailure("an ensemble is not trained as one") }
}

/// What the parts of an ensemble have left so far for one sequence.
struct PartsWorkspace: Sendable {
    /// O values.
    var outputs: [Float] = []
    /// Attention and entropies of all heads.
    var attention: [Float] = []
    var entropies: [Float] = []
}
