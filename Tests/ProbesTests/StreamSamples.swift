import AttentionProbes
import TestSupport

/// Configurations of all kinds that can be scored token by token: usual ones, and ones whose windows and counts a
/// short sequence does not reach and a long one does.
let streamedConfigurations: [ProbeConfiguration] =
    ProbeKind.allCases.filter { !$0.rawValue.contains("fraction") }.map {
        ProbeConfiguration($0, heads: 3, units: 7, k: 4, window: 9)
    } + [
        .attention(heads: 1), .attention(heads: 8), .attention(heads: 3, hidden: 5),
        .attention(heads: 2, .tanh), .attention(heads: 2, hidden: 4, .tanh),
        ProbeConfiguration(.rolling, window: 1), ProbeConfiguration(.rolling),
        ProbeConfiguration(.multimax, heads: 3), ProbeConfiguration(.rollingAttention, heads: 3, window: 9),
        ProbeConfiguration(.rollingAttention, heads: 2, window: 1), ProbeConfiguration(.topk, k: 1),
        ProbeConfiguration(.softmax, temperature: 0.1), ProbeConfiguration(.ema, decay: 1),
    ] + ensembles

/// Ensembles: of parts that attend, of parts of which some do and some look at states themselves, and of parts none of
/// which attends.
let ensembles: [ProbeConfiguration] = [
    .ensemble([.attention(heads: 2), .attention(heads: 3, hidden: 5)]),
    .ensemble([
        .mean, .attention(heads: 2), ProbeConfiguration(.multimax, heads: 3), .attention(heads: 1, .tanh),
    ]),
    .ensemble([
        ProbeConfiguration(.multimax, heads: 2), ProbeConfiguration(.rollingAttention, heads: 2, window: 4),
        ProbeConfiguration(.absmax), ProbeConfiguration(.softmax),
    ]),
    .ensemble([.last, ProbeConfiguration(.mlpAttention, heads: 2, units: 5), .attention(heads: 2)]),
]

extension Probe {
    /// A probe with random parameters; those of one tensor can be scaled.
    static func random(
        _ configuration: ProbeConfiguration, width: Int, outputs: Int, seed: UInt64,
        scaling: [String: Float] = [:]
    ) -> Probe {
        let isBinary = configuration.kind.isClosedForm
        let tensors = configuration.architecture(width: width, outputs: isBinary ? 1 : outputs).tensors
        var parameters = randomFloats(tensors.parameterCount, seed: seed, scale: 0.3)
        for (name, scale) in scaling {
            for (tensor, range) in tensors.placed where ".\(tensor.name)".hasSuffix("." + name) {
                for i in range { parameters[i] *= scale }
            }
        }
        for i in tensors.range(of: "scales") ?? 0..<0 { parameters[i] = 0.5 + abs(parameters[i]) }
        let task: ProbeTask =
            isBinary || outputs == 1 ? .binary(classes: ["a", "b"]) : .regression(outputs: outputs)
        return Probe(configuration, width: width, task: task, parameters: parameters)
    }

    /// The same with every value taken token by token, so that attention is added up in double precision, where there is
    /// such a probe of attention; else this one.
    private func evaluator() -> any ProbeEvaluator {
        guard let shape = architecture as? AttentionArchitecture else {
            return architecture.evaluator(parameters)
        }
        return AttentionArchitecture(
            width: shape.width, outputs: shape.outputs, heads: shape.heads, hidden: shape.hidden,
            attention: shape.attention, plan: .stackedProduct
        ).evaluator(parameters)
    }

    /// The score of a whole sequence by that.
    func exactScore(_ tokens: [Float], mask: [Bool]? = nil) throws -> [Float] {
        let batch = try RaggedBatch(
            tokens: TokenMatrix(tokens, columns: width), offsets: [0, tokens.count / width], tokenMask: mask)
        // As many rows as scoring has decide on the kernel, and so on the bits of products.
        let own = evaluator(), rows = architecture.evaluator(parameters).tokenWeights.count / width
        var work = Workspace()
        if !own.tokenWeights.isEmpty {
            Projection(
                own.tokenWeights, rows: own.tokenWeights.count / width, width: width, plan: .best(rows: rows)
            ).apply(batch[0], into: &work.projections, scratch: &work.tokens)
        }
        try own.forward(batch[0], row: 0, &work)
        return work.outputs
    }

    /// The scores of the beginnings of a sequence, each as a sequence of its own; none for one without a token to
    /// look at.
    func scoresOfPrefixes(_ tokens: [Float], lengths: [Int], mask: [Bool]? = nil) throws -> [[Float]?] {
        let visible = lengths.filter { mask == nil || mask![..<$0].contains(true) }
        let batch = try RaggedBatch(
            tokens: TokenMatrix(tokens, columns: width), rows: visible.map { 0..<$0 }, tokenMask: mask)
        let logits = try scores(ActivationSet([ActivationFile(batch)])).logits
        return lengths.map { length in visible.firstIndex(of: length).map { Array(logits[row: $0]) } }
    }
}

/// Random lengths up to a largest, the first few and the largest among them.
func prefixLengths(_ largest: Int, seed: UInt64) -> [Int] {
    var generator = SeededGenerator(seed: seed)
    let random = (0..<20).map { _ in Int.random(in: 1...largest, using: &generator) }
    return Set(random + Array(1...min(largest, 12)) + [largest]).sorted()
}

/// The largest difference between lists, which must have numbers at the same places, over the largest number.
func relativeError(_ found: [[Float]?], _ expected: [[Float]?]) -> Float {
    guard zip(found, expected).allSatisfy({ ($0 == nil) == ($1 == nil) }) else { return .infinity }
    return relativeError(found.flatMap { $0 ?? [] }, expected.flatMap { $0 ?? [] })
}
