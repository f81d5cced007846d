public import AttentionProbes

/// Random values, the same in every run.
public func randomFloats(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in scale * generator.normal() }
}

/// Random sequences of the given lengths.
public func randomBatch(lengths: [Int], width: Int, seed: UInt64) throws -> RaggedBatch {
    let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let values = randomFloats(offsets[lengths.count] * width, seed: seed)
    return try RaggedBatch(tokens: TokenMatrix(values, columns: width), offsets: offsets)
}

extension TokenSequence {
    /// The unmasked tokens.
    public var doubles: [[Double]] {
        var scratch: [Float] = []
        return (0..<count).map { j in
            withTokens(j..<j + 1, scratch: &scratch) { token in token.indices.map { Double(token[$0]) } }
        }
    }
}

/// A labelled set that an attention probe can learn and a mean probe cannot easily: class 1 has one
/// token (or `needles`), anywhere, that points along the first dimension.
public func needleSet(
    count: Int, width: Int = 16, lengths: ClosedRange<Int> = 5...30, needles: Int = 1,
    seed: UInt64 = 1
) throws -> ActivationSet {
    var generator = SeededGenerator(seed: seed)
    let labels = (0..<count).map { $0 % 2 }
    let sequences = labels.map { label in
        let length = Int.random(in: lengths, using: &generator)
        var tokens = (0..<length * width).map { _ in generator.normal() }
        for _ in 0..<label * needles { tokens[Int.random(in: 0..<length, using: &generator) * width] = 8 }
        return tokens
    }
    let batch = try RaggedBatch(sequences, width: width)
    return try ActivationSet([ActivationFile(batch, targets: .classes(labels), classes: ["none", "needle"])])
}
