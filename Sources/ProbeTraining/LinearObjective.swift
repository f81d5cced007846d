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
    /// Asked between blocks; true ends an evaluation with a `CancellationError`.
    var isInterrupted: @Sendable () -> Bool = { false }
    /// Told how many rows of how many an evaluation has seen, from any thread.
    var told: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    // What an evaluation leaves for the next, of each block of rows.
    private let buffers = Pool { [Buffers]() }

    private struct Buffers: Sendable {
        var y: [Double] = []
        var gradient: [Double] = []
    }

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
        let blocks = Objective.blockCount(
            products: Double(states.rows) * Double(states.columns) * Double(task.outputs),
            parameters: (states.columns + 1) * task.outputs, sequences: states.rows)
        blockSize = max(32, (1 << 18) / states.columns, (states.rows + blocks - 1) / blocks)
    }

    /// The mean loss and its gradient, W before b.
    ///
    /// - Throws: `CancellationError`.
    func gradient(_ parameters: [Double]) throws -> (loss: Double, gradient: [Double]) {
        let starts = Parallel.starts(of: 0..<states.rows, size: blockSize)
        let own = buffers.lend()
        while own.value.count < starts.count - 1 { own.value.append(Buffers()) }
        let seen = PartCount()
        let losses = try Parallel.changeParts(
            of: &own.value, at: Array(0..<starts.count), threads: threads, workspace: { () }
        ) { block, buffers, _ in
            if isInterrupted() { throw CancellationError() }
            let rows = starts[block]..<starts[block + 1]
            defer { told(seen.add(rows.count), states.rows) }
            return evaluate(rows, parameters, &buffers[0])
        }
        var gradient = own.value[0].gradient
        for block in own.value[1..<starts.count - 1] {
            for i in gradient.indices { gradient[i] += block.gradient[i] }
        }
        let scale = 1 / Double(states.rows)
        for i in gradient.indices { gradient[i] *= scale }
        return (losses.reduce(0, +) * scale, gradient)
    }

    // The sum of the losses of some rows; leaves its gradient in the buffers.
    private func evaluate(_ rows: Range<Int>, _ parameters: [Double], _ work: inout Buffers) -> Double {
        let bias = outputs * states.columns
        states.multiply(rows, parameters[..<bias], columns: outputs, into: &work.y)
        if work.gradient.isEmpty { work.gradient = Array(repeating: 0, count: parameters.count) }
        for i in work.gradient.indices { work.gradient[i] = 0 }
        var (total, logits, g) = (0.0, [Double](repeating: 0, count: outputs), [Double]())
        for (row, index) in rows.enumerated() {
            for o in 0..<outputs { logits[o] = work.y[row * outputs + o] + parameters[bias + o] }
            let weight = weights.map { Double($0[index]) } ?? 1
            total += weight * loss(logits, targets[index], gradient: &g)
            for o in 0..<outputs {
                work.y[row * outputs + o] = weight * g[o]
                work.gradient[bias + o] += weight * g[o]
            }
        }
        states.addWeightedRows(rows, work.y, columns: outputs, to: &work.gradient)
        return total
    }
}
