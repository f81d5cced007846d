// The mean loss of a linear probe y = W·x + b over N vectors x, and its gradient, as two products:
//
//     Y = X·Wᵀ + b       N×O, from X, N×D, and W, O×D
//     ∂W = Gᵀ·X, ∂b = Σ_n g_n       with G = ∂loss/∂Y, N×O
//
// in double precision: near the optimum of a convex loss the differences that an optimiser goes by are smaller
// than sums of floats tell. Rows are cut into blocks that depend on their number alone and are added in
// order, so the result has the same bits on any number of threads.
import Tensors
import Activations
import ProbeMetrics

struct LinearObjective {
    private let states: Matrix
    private let targets: Targets
    private let loss: Loss
    private let weights: [Float]?
    private let outputs: Int
    private let threads: Int
    private let blockSize: Int

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
        blockSize = max(32, (1 << 18) / states.columns, (states.rows + 31) / 32)
    }

    /// The mean loss and its gradient, W before b.
    func gradient(_ parameters: [Double]) throws -> (loss: Double, gradient: [Double]) {
        let blocks = (states.rows + blockSize - 1) / blockSize
        let parts = try Parallel.map(count: blocks, threads: threads) { block in
            part(block * blockSize..<min(states.rows, (block + 1) * blockSize), parameters)
        }
        var sum = parts[0]
        for part in parts.dropFirst() {
            sum.loss += part.loss
            for i in sum.gradient.indices { sum.gradient[i] += part.gradient[i] }
        }
        let scale = 1 / Double(states.rows)
        for i in sum.gradient.indices { sum.gradient[i] *= scale }
        return (sum.loss * scale, sum.gradient)
    }

    private func part(_ rows: Range<Int>, _ parameters: [Double]) -> (loss: Double, gradient: [Double]) {
        let bias = outputs * states.columns
        var y: [Double] = []
        states.multiply(rows, parameters[..<bias], columns: outputs, into: &y)
        var gradient = [Double](repeating: 0, count: parameters.count)
        var (total, logits, g) = (0.0, [Double](repeating: 0, count: outputs), [Double]())
        for (row, index) in rows.enumerated() {
            for o in 0..<outputs { logits[o] = y[row * outputs + o] + parameters[bias + o] }
            let weight = weights.map { Double($0[index]) } ?? 1
            total += weight * loss(logits, targets[index], gradient: &g)
            for o in 0..<outputs {
                y[row * outputs + o] = weight * g[o]
                gradient[bias + o] += weight * g[o]
            }
        }
        states.addWeightedRows(rows, y, columns: outputs, to: &gradient)
        return (total, gradient)
    }
}
