package import Tensors

// Scores of attention probes with many values a head, whose value rows are most of what a sequence meets: those of 64 heads
// with 1000 values on 128 dimensions have 33 MB. G sequences meet them together, with U_h their pooled tokens, G×D:
//     r = Σ_h U_h·v_hᵀ + biases
// by a kernel in which the sums of one sequence do not depend on the others, so that a score has the same bits in every
// group.

/// An evaluator that takes what follows the tokens of several sequences together.
package protocol GroupEvaluator: ProbeEvaluator {
    /// How many sequences should be taken together; 1 where that gains nothing.
    var groupSize: Int { get }

    /// Takes one of `count` sequences as far as it goes alone; as `forward` does, but for `outputs`.
    ///
    /// - Parameters:
    ///   - projection: computes the products; nil where they are there.
    ///   - place: which of them it is.
    func begin(
        _ sequence: TokenSequence, row: Int, by projection: Projection?, place: Int, of count: Int,
        _ workspace: inout Workspace
    ) throws(NonFiniteProjection)

    /// Goes on with the first sequences of a group, and hands each over with its `outputs` and `entropies` in the workspace.
    ///
    /// - Parameters:
    ///   - done: how many have begun.
    ///   - count: that `begin` was given.
    /// - Throws: `NonFiniteSequence` for the first whose outputs are not finite.
    func finish(
        _ done: Int, of count: Int, _ workspace: inout Workspace, _ body: (Int, inout Workspace) -> Void
    ) throws(NonFiniteSequence)
}

extension AttentionEvaluator: GroupEvaluator {
    // Floats of the pooled tokens of a group, and sequences, at most.
    private static let mostGroupNumbers = 1 << 18
    private static let mostInGroup = 64
    // Values that fill half a register block.
    private static let fewestValues = 8

    package var groupSize: Int {
        valueProducts.isEmpty
            ? 1 : max(4, min(Self.mostInGroup, Self.mostGroupNumbers / (shape.heads * shape.width)))
    }

    /// Makes `valueProducts`, where there are many values and a kernel for them.
    mutating func prepareValues() {
        guard shape.plan == .poolThenProject, shape.values >= Self.fewestValues,
            Projection.Plan.best(rows: shape.values) == .panels
        else { return }
        valueProducts = (0..<shape.heads).map { h in
            Projection(parameters[valueRange(h)], rows: shape.values, width: shape.width)
        }
    }

    package func begin(
        _ sequence: TokenSequence, row: Int, by projection: Projection?, place: Int, of count: Int,
        _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        let (width, values) = (shape.width, shape.values)
        try attendAndPool(sequence, row: row, by: projection, &work)

        let entropies = work.entropies.count
        work.group.grow(count: count, values: values, size: shape.heads * width)
        work.group.entropies.grow(to: count * entropies)
        for h in 0..<shape.heads {
            work.group.pooled.replace(
                at: (h * count + place) * width, with: work.pooled[h * width..<(h + 1) * width])
        }
        work.group.values.replace(at: place * values, with: work.values[..<values])
        work.group.entropies.replace(at: place * entropies, with: work.entropies[...])
    }

    package func finish(
        _ done: Int, of count: Int, _ work: inout Workspace, _ body: (Int, inout Workspace) -> Void
    ) throws(NonFiniteSequence) {
        addValues(done, of: count, &work.group)
        let (values, entropies) = (shape.values, work.entropies.count)
        for i in 0..<done {
            work.values.reset(to: work.group.values[i * values..<(i + 1) * values])
            work.entropies.reset(to: work.group.entropies[i * entropies..<(i + 1) * entropies])
            applyHiddenLayer(&work)
            guard allFinite(work.outputs[...]) else { throw NonFiniteSequence(index: i) }
            body(i, &work)
        }
    }

    // r += Σ_h U_h·v_hᵀ, of pooled tokens whose heads are `count` sequences apart.
    private func addValues(_ done: Int, of count: Int, _ group: inout GroupWorkspace) {
        let (values, width) = (shape.values, shape.width)
        let pooled = group.pooled
        var all: [Float] = []
        swap(&all, &group.values)
        defer { swap(&all, &group.values) }
        for h in valueProducts.indices {
            let start = h * count * width
            valueProducts[h].apply(
                pooled.span.extracting(start..<start + done * width), count: done, into: &group.products)
            if h == 0 {
                group.sums.reset(to: group.products[..<(done * values)])
            } else {
                BLAS.axpy(1, group.products[..<(done * values)], y: &group.sums)
            }
        }
        let sums = group.sums.span
        var r = all.mutableSpan
        for i in 0..<done {
            for k in 0..<values { r[i * values + k] += sums[k * done + i] }
        }
    }
}
