import AttentionProbes
import Tensors

/// One shape to measure: sequences of 16 to 512 tokens, uniformly, and a probe with one output.
struct Workload {
    let width: Int
    let heads: Int
    let offsets: [Int]
    /// The hidden states, T×D, in the two forms that the implementations read.
    let tokens: [Float]
    let vectors: [SIMD16<Float>]
    let weightVectors: [SIMD16<Float>]
    let batch: ActivationSet
    let probe: Probe

    /// - Precondition: `width` is a multiple of 16.
    init(width: Int, heads: Int, tokens count: Int) throws {
        precondition(width % 16 == 0, "widths are multiples of 16 here")
        var generator = SeededGenerator(seed: 1)
        var offsets = [0]
        while offsets[offsets.count - 1] < count {
            let length = Int.random(in: 16...512, using: &generator)
            offsets.append(min(count, offsets[offsets.count - 1] + length))
        }
        // Normal numbers, a prime number of them over and over: fast to make, never aligned.
        let pattern = (0..<8191).map { _ in generator.normal() }
        let tokens = (0..<count * width).map { pattern[$0 % pattern.count] }
        vectors = Self.vectors(tokens[...])
        batch = try ActivationSet([
            ActivationFile(RaggedBatch(tokens: TokenMatrix(tokens, columns: width), offsets: offsets))
        ])
        let architecture = AttentionArchitecture(width: width, outputs: 1, heads: heads)
        let parameters = (0..<architecture.tensors.parameterCount).map { _ in 0.02 * generator.normal() }
        probe = Probe(
            .attention(heads: heads), width: width, task: .binary(classes: ["0", "1"]), parameters: parameters
        )
        weightVectors = Self.vectors(parameters[..<(2 * heads * width)])
        self.width = width
        self.heads = heads
        self.offsets = offsets
        self.tokens = tokens
    }

    private static func vectors(_ values: ArraySlice<Float>) -> [SIMD16<Float>] {
        stride(from: 0, to: values.count, by: 16).map { SIMD16(values[$0..<$0 + 16]) }
    }

    /// T.
    var tokenCount: Int { offsets[offsets.count - 1] }
    /// What has to be read at least.
    var bytes: Double { Double(tokens.count) * 4 }
    /// Multiplications and additions of the product with the stacked weights [q | v].
    var operations: Double { 2 * Double(tokens.count) * Double(2 * heads) }
    /// The stacked weights, 2H×D.
    var weights: ArraySlice<Float> { probe.parameters[..<(2 * heads * width)] }
}
