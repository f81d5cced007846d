// The mean loss of a linear probe y = W·x + b over N vectors x, and its gradient, as two products:
//
//     Y = W·Xᵀ + b       O×N, from X, N×D, and W, O×D
//     ∂W = G·X, ∂b = Σ_n g_n       with G = ∂loss/∂Y, O×N
//
// which are those of a projection of tokens and of its gradient. Rows are cut into blocks, as sequences
// of tokens, that depend on their number alone and are added in order, so the result has the same bits
// on any number of threads.
import Tensors

struct LinearObjective {
    private let blocks: RaggedBatch
    private let targets: Targets
    private let loss: Loss
    private let weights: [Float]?
    private let outputs: Int
    private let threads: Int

    /// - Parameter weights: how much each row counts, 1 in the mean; nil for all alike.
    init(
        _ states: Matrix, _ targets: Targets, _ task: ProbeTask, weights: [Float]?, threads: Int
    ) {
        self.targets = targets
        self.weights = weights
        loss = Loss(task)
        outputs = task.outputs
        self.threads = threads
        let size = max(32, (1 << 18) / states.columns, (states.rows + 31) / 32)
        let offsets = Array(stride(from: 0, to: states.rows, by: size)) + [states.rows]
        // Offsets rise from 0 to the number of rows, so they make a batch.
        blocks = try! RaggedBatch(
            tokens: TokenMatrix(states.storage, columns: states.columns), offsets: offsets)
    }

    /// The mean loss and its gradient, W before b.
    ///
    /// - Throws: `NonFiniteProjection` where an output is not finite.
    func gradient(_ parameters: [Float]) throws -> (loss: Double, gradient: [Float]) {
        let (width, rows) = (blocks.width, blocks.tokens.rows)
        let projection = Projection(parameters[..<(outputs * width)], rows: outputs, width: width)
        let parts = try Parallel.map(count: blocks.count, threads: threads, workspace: Workspace.init) {
            block, work in
            try part(block, projection, parameters[(outputs * width)...], &work)
        }
        var sum = parts[0]
        for part in parts.dropFirst() {
            sum.loss += part.loss
            for i in sum.gradient.indices { sum.gradient[i] += part.gradient[i] }
        }
        let scale = 1 / Float(rows)
        for i in sum.gradient.indices { sum.gradient[i] *= scale }
        return (sum.loss / Double(rows), sum.gradient)
    }

    private func part(
        _ block: Int, _ projection: Projection, _ bias: ArraySlice<Float>, _ work: inout Workspace
    ) throws(NonFiniteProjection) -> (loss: Double, gradient: [Float]) {
        let states = blocks[block]
        let n = states.count
        projection.apply(states, into: &work.projections, scratch: &work.tokens)
        guard allFinite(work.projections[..<(outputs * n)]) else { throw NonFiniteProjection() }
        var gradient = [Float](repeating: 0, count: outputs * (blocks.width + 1))
        var total = 0.0
        var (logits, g) = ([Float](repeating: 0, count: outputs), [Float]())
        for row in 0..<n {
            for o in 0..<outputs { logits[o] = work.projections[o * n + row] + bias[bias.startIndex + o] }
            let index = blocks.offsets[block] + row
            let weight = weights?[index] ?? 1
            total += Double(weight) * loss(logits, targets[index], gradient: &g)
            for o in 0..<outputs {
                work.projections[o * n + row] = weight * g[o]
                gradient[outputs * blocks.width + o] += weight * g[o]
            }
        }
        states.addWeightedSums(work.projections, rows: outputs, to: &gradient, scratch: &work.tokens)
        return (total, gradient)
    }
}
