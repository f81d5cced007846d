package import Tensors

/// A probe of so many parameters that the gradient of many sequences together may cost less than one for each block of
/// them.
package protocol JointArchitecture: ProbeArchitecture {
    /// Whether it does.
    ///
    /// - Parameters:
    ///   - tokens: of all sequences.
    ///   - blocks: how many blocks the sequences are cut into.
    func isFasterJointly(tokens: Int, blocks: Int) -> Bool
}

/// The evaluator of a `JointArchitecture`.
package protocol JointEvaluator: ProbeEvaluator {
    /// Floats that are kept of a sequence of so many tokens that is taken together with others.
    func jointNumbers(tokens: Int) -> Int

    /// The sum of the losses of some sequences; `gradient` becomes its gradient, or has that added to it. The same bits on
    /// any number of threads.
    ///
    /// - Parameters:
    ///   - blocks: what one thread takes at a time.
    ///   - projection: the products with `tokenWeights`.
    ///   - loss: sets `outputGradient` from `outputs` in the workspace it is given, for the i-th sequence.
    /// - Throws: `NonFiniteProjection` as `forward` does, for any of them.
    func jointGradient(
        _ sequences: [TokenSequence], blocks: [Range<Int>], _ projection: Projection, addsTo: Bool,
        threads: Int,
        _ workspaces: Pool<Workspace>, _ joint: inout JointWorkspace, gradient: inout [Float],
        loss: @Sendable (Int, inout Workspace) -> Double
    ) throws -> Double
}

/// Buffers for G sequences together.
package struct JointWorkspace: Sendable {
    /// Of each sequence its pooled tokens, H·D, and of its values what biases add, V.
    var pooled: [Float] = []
    /// H×n of each sequence.
    var attention: [Float] = []
    /// V×G.
    var values: [Float] = []
    /// G×V.
    var valueGradient: [Float] = []
    /// Value rows combined by that, H×G×D.
    var combined: [Float] = []
    /// Of each block the gradient without that by v.
    var rest: [[Float]] = []

    /// An empty workspace.
    package init() {}

    mutating func grow(count: Int, values: Int, size: Int, attention: Int, blocks: Int) {
        pooled.grow(to: count * (size + values))
        self.attention.grow(to: attention)
        self.values.grow(to: count * values)
        valueGradient.grow(to: count * values)
        combined.grow(to: count * size)
        while rest.count < blocks { rest.append([]) }
    }
}
