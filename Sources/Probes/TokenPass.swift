package import Tensors

/// One pass of several probes over the tokens of a sequence: one product with the weight rows of
/// all of them, then each probe's own work, while the tokens are in cache.
package struct TokenPass: Sendable {
    private let evaluators: [any ProbeEvaluator]
    // The first row of each evaluator's products.
    private let rows: [Int]
    /// The product with all rows; nil where no evaluator wants one.
    package let projection: Projection?
    // Whether some evaluator finds a NaN or infinity wherever it is.
    private let meetsAllTokens: Bool

    /// - Precondition: all evaluators take tokens of this width.
    package init(_ evaluators: [any ProbeEvaluator], width: Int) {
        self.evaluators = evaluators
        var rows: [Int] = []
        // Those of one evaluator as they are, without a copy.
        var weights: ArraySlice<Float> = []
        for evaluator in evaluators {
            rows.append(weights.count / width)
            if weights.isEmpty { weights = evaluator.tokenWeights } else { weights += evaluator.tokenWeights }
        }
        self.rows = rows
        meetsAllTokens = evaluators.contains(where: \.meetsAllTokens)
        projection =
            weights.isEmpty ? nil : Projection(weights, rows: weights.count / width, width: width)
    }

    /// Takes every evaluator forward; `body` finds the results of the i-th in the workspace. Tokens that none of
    /// them looks at are looked at for NaN and infinity.
    package func forward(
        _ sequence: TokenSequence, _ work: inout Workspace,
        _ body: (Int, inout Workspace) -> Void = { _, _ in }
    ) throws(NonFiniteProjection) {
        guard meetsAllTokens || sequence.isFinite(scratch: &work.tokens) else { throw NonFiniteProjection() }
        projection?.apply(sequence, into: &work.projections, scratch: &work.tokens)
        for (i, evaluator) in evaluators.enumerated() {
            try evaluator.forward(sequence, row: rows[i], &work)
            body(i, &work)
        }
    }
}
