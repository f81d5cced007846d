// The mean loss of a linear probe y = W·x + b over N vectors x, and its gradient, as two products:
//
//     Y = X·Wᵀ + b       N×O, from X, N×D, and W, O×D
//     ∂W = Gᵀ·X, ∂b = Σ_n g_n      with G = ∂loss/∂Y, N×O
//
// Rows are cut into blocks that depend on their number alone and added in order, so the result has the
// same bits on any number of threads.
import Tensors

struct LinearObjective {
    private let states: Matrix
    private let targets: Targets
    private let loss: Loss
    private let weights: [Float]?
    private let outputs: Int
    private let threads: Int
    private let blocks: [Range<Int>]

    /// - Parameter weights: how much each row counts, 1 in the mean; nil for all alike.
    init(
        _ states: Matrix, _ targets: Targets, _ task: ProbeTask, weights: [Float]?, threads: Int
    ) {
        self.states = states
        self.targets = targets
        self.weights = weights
        loss = Loss(task)
        outputs = task.outputs
        self.threads = threads
        let rowsOfABlock = max(32, (1 << 18) / states.columns, states.rows / 32)
        blocks = stride(from: 0, to: states.rows, by: rowsOfABlock).map {
            $0..<min($0 + rowsOfABlock, states.rows)
        }
    }

    /// The mean loss and its gradient, W before b.
    ///
    /// - Throws: `NonFiniteProjection` where an output is not finite.
    func gradient(_ parameters: [Float]) throws -> (loss: Double, gradient: [Float]) {
        let width = states.columns
        let parts = try Parallel.map(count: blocks.count, threads: threads) { block in
            try part(blocks[block], parameters, width)
        }
        var sum = parts[0]
        for part in parts.dropFirst() {
            sum.loss += part.loss
            for i in sum.gradient.indices { sum.gradient[i] += part.gradient[i] }
        }
        let scale = 1 / Float(states.rows)
        for i in sum.gradient.indices { sum.gradient[i] *= scale }
        return (sum.loss / Double(states.rows), sum.gradient)
    }

    private func part(
        _ rows: Range<Int>, _ parameters: [Float], _ width: Int
    ) throws(NonFiniteProjection) -> (loss: Double, gradient: [Float]) {
        let n = rows.count
        let x = states.storage[rows.lowerBound * width..<rows.upperBound * width]
        var y = [Float](repeating: 0, count: n * outputs)
        BLAS.product(.no, .yes, m: n, n: outputs, k: width, x, parameters[..<(outputs * width)], into: &y)
        let bias = parameters[(outputs * width)...]
        var total = 0.0
        var (logits, g) = ([Float](repeating: 0, count: outputs), [Float]())
        var biasGradient = [Float](repeating: 0, count: outputs)
        for row in 0..<n {
            for o in 0..<outputs { logits[o] = y[row * outputs + o] + bias[bias.startIndex + o] }
            guard allFinite(logits[...]) else { throw NonFiniteProjection() }
            let index = rows.lowerBound + row
            let weight = weights?[index] ?? 1
            total += Double(weight) * loss(logits, targets[index], gradient: &g)
            for o in 0..<outputs {
                y[row * outputs + o] = weight * g[o]
                biasGradient[o] += weight * g[o]
            }
        }
        var gradient = [Float](repeating: 0, count: outputs * width)
        BLAS.product(.yes, .no, m: outputs, n: width, k: n, y[...], x, into: &gradient)
        return (total, gradient + biasGradient)
    }
}
