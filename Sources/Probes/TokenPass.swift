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
    // What computes the products itself; several evaluators leave that to the pass.
    private let projecting: (any ProjectingEvaluator)?
    // What takes sequences together, where that gains something: several evaluators take each alone.
    private let group: (any GroupEvaluator)?

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
        let alone = evaluators.count == 1 ? evaluators[0] : nil
        projecting = alone as? any ProjectingEvaluator
        group = (alone as? any GroupEvaluator).flatMap { $0.groupSize > 1 ? $0 : nil }
        projection =
            weights.isEmpty ? nil : Projection(weights, rows: weights.count / width, width: width)
    }

    /// How many sequences are best taken forward together.
    package var groupSize: Int { group?.groupSize ?? 1 }

    /// Takes every evaluator forward over some sequences; `body` is given which of these and of the evaluators has its results
    /// in the workspace.
    ///
    /// - Throws: `NonFiniteSequence` for the first that cannot be taken forward; those before it have been handed over.
    package func forward(
        _ sequences: [TokenSequence], _ work: inout Workspace, _ body: (Int, Int, inout Workspace) -> Void
    ) throws(NonFiniteSequence) {
        guard let group, sequences.count > 1 else {
            for (place, sequence) in sequences.enumerated() {
                do {
                    try forward(sequence, &work) { body(place, $0, &$1) }
                } catch { throw NonFiniteSequence(index: place) }
            }
            return
        }
        for start in stride(from: 0, to: sequences.count, by: group.groupSize) {
            let together = sequences[start..<min(start + group.groupSize, sequences.count)]
            do {
                try forward(together, by: group, &work) { body(start + $0, 0, &$1) }
            } catch { throw NonFiniteSequence(index: start + error.index) }
        }
    }

    private func forward(
        _ sequences: ArraySlice<TokenSequence>, by group: any GroupEvaluator, _ work: inout Workspace,
        _ body: (Int, inout Workspace) -> Void
    ) throws(NonFiniteSequence) {
        var begun = 0
        for sequence in sequences {
            guard
                (try? group.begin(
                    sequence, row: 0, by: projection, place: begun, of: sequences.count, &work)) != nil
            else { break }
            begun += 1
        }
        try group.finish(begun, of: sequences.count, &work, body)
        if begun < sequences.count { throw NonFiniteSequence(index: begun) }
    }

    /// Takes every evaluator forward; `body` finds the results of the i-th in the workspace. Tokens that none of
    /// them looks at are looked at for NaN and infinity.
    package func forward(
        _ sequence: TokenSequence, _ work: inout Workspace,
        _ body: (Int, inout Workspace) -> Void = { _, _ in }
    ) throws(NonFiniteProjection) {
        if let projecting, let projection {
            try projecting.forward(sequence, by: projection, &work)
            return body(0, &work)
        }
        guard meetsAllTokens || sequence.isFinite(scratch: &work.tokens) else { throw NonFiniteProjection() }
        projection?.apply(sequence, into: &work.projections, scratch: &work.tokens)
        for (i, evaluator) in evaluators.enumerated() {
            try evaluator.forward(sequence, row: rows[i], &work)
            body(i, &work)
        }
    }
}

/// An evaluator that computes the products with its `tokenWeights` when it wants them.
protocol ProjectingEvaluator: ProbeEvaluator {
    /// `forward`, with those products computed on the way.
    func forward(
        _ sequence: TokenSequence, by projection: Projection, _ workspace: inout Workspace
    ) throws(NonFiniteProjection)
}

/// One of several sequences has a hidden state that is NaN or infinite, or a product or output of it is.
package struct NonFiniteSequence: Error {
    /// Which.
    package let index: Int
}
