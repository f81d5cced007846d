import Tensors
package import Activations
import ProbeMetrics
package import Probes

/// The mean loss of a probe over sequences, with its gradient by the parameters.
///
/// Sequences are cut into blocks that depend on the sequences alone; blocks run side by side, and
/// their sums are added in order, so the result has the same bits on any number of threads.
struct Objective {
    let architecture: any ProbeArchitecture
    let data: ActivationSet
    let targets: Targets
    let loss: Loss
    let threads: Int
    private let weights: [Float]?
    private let isLargerThanMemory: Bool

    /// Blocks an evaluation is cut into at most: enough for the threads of a server, few enough
    /// that a gradient for each costs little.
    static let mostBlocks = 32

    /// - Parameters:
    ///   - loss: what outputs are judged by; nil for the task's loss.
    ///   - weights: how much each sequence counts, 1 in the mean; nil for all alike.
    init(
        _ architecture: any ProbeArchitecture, _ data: ActivationSet, _ task: ProbeTask,
        loss: Loss? = nil, weights: [Float]? = nil, threads: Int
    ) {
        self.architecture = architecture
        self.data = data
        self.targets = data.targets!
        self.loss = loss ?? Loss(task)
        self.threads = threads
        self.weights = weights
        isLargerThanMemory = data.isLargerThanMemory
    }

    /// The same loss of linear probes on one token a sequence, on states as a standardisation shows them; nil for
    /// others.
    func linear(_ task: ProbeTask, _ standardization: Standardization) -> LinearObjective? {
        guard architecture is PooledArchitecture, var states = data.oneTokenStates else { return nil }
        standardization.apply(&states)
        return LinearObjective(states, targets, task, weights: weights, threads: threads)
    }

    /// The mean loss over all sequences.
    func value(_ parameters: [Float]) throws -> Double {
        try sum(parameters, over: Array(0..<data.count), { data[$0] }, addsGradient: false).loss
            / Double(data.count)
    }

    /// The mean loss over some sequences, all by default, and its gradient.
    ///
    /// - Parameter tokens: the tokens to use of a sequence, given its index; all by default.
    func gradient(
        _ parameters: [Float], over indices: [Int]? = nil, tokens: (@Sendable (Int) -> TokenSequence)? = nil
    ) throws -> (loss: Double, gradient: [Float]) {
        let indices = indices ?? Array(0..<data.count)
        var sum = try sum(parameters, over: indices, tokens ?? { data[$0] }, addsGradient: true)
        let scale = 1 / Float(indices.count)
        for i in sum.gradient.indices { sum.gradient[i] *= scale }
        return (sum.loss / Double(indices.count), sum.gradient)
    }

    private typealias Sum = (loss: Double, gradient: [Float])

    private func sum(
        _ parameters: [Float], over indices: [Int], _ tokens: @Sendable (Int) -> TokenSequence,
        addsGradient: Bool
    ) throws -> Sum {
        try data.checkLengths(indices)
        let evaluator = architecture.evaluator(parameters)
        let pass = TokenPass([evaluator], width: architecture.width)
        let blocks = Self.blocks(indices.map { data[$0].rows.count })
        // Data that fit in memory are there after the first pass.
        let readAhead = isLargerThanMemory ? data.readAhead(Self.order(indices, blocks, threads)) : nil
        let sums = try Parallel.map(count: blocks.count, threads: threads, workspace: Workspace.init) {
            block, work -> Sum in
            var gradient = [Float](repeating: 0, count: addsGradient ? parameters.count : 0)
            var total = 0.0
            func addLoss(_ index: Int, _ work: inout Workspace) {
                let weight = weights?[index] ?? 1
                total +=
                    Double(weight) * loss(work.outputs, targets[index], gradient: &work.outputGradient)
                if weight != 1 { for o in work.outputGradient.indices { work.outputGradient[o] *= weight } }
                readAhead?.advance(data.byteCount(index))
            }
            let own = indices[blocks[block]]
            let sequences = own.map(tokens)
            do {
                if addsGradient {
                    try evaluator.addGradients(
                        sequences, pass.projection, &work, gradient: &gradient
                    ) { addLoss(own[own.startIndex + $0], &$1) }
                } else {
                    for (index, sequence) in zip(own, sequences) {
                        try pass.forward(sequence, &work)
                        addLoss(index, &work)
                    }
                }
            } catch {
                let faulty = zip(own, sequences).first { (try? pass.forward($1, &work)) == nil }
                throw data.projectionError(in: faulty?.0 ?? own[own.startIndex])
            }
            return (total, gradient)
        }
        return sums.dropFirst().reduce(into: sums[0]) { sum, block in
            sum.loss += block.loss
            for i in block.gradient.indices { sum.gradient[i] += block.gradient[i] }
        }
    }

    /// The order in which threads come to the sequences of blocks: as many blocks at once as there are
    /// threads, sequence by sequence.
    static func order(_ indices: [Int], _ blocks: [Range<Int>], _ threads: Int) -> [Int] {
        let threads = max(1, threads)
        return stride(from: 0, to: blocks.count, by: threads).flatMap { first -> [Int] in
            let together = blocks[first..<min(first + threads, blocks.count)]
            let longest = together.map(\.count).max() ?? 0
            return (0..<longest).flatMap { step in
                together.filter { step < $0.count }.map { indices[$0.lowerBound + step] }
            }
        }
    }

    /// Consecutive ranges with about equal numbers of tokens.
    static func blocks(_ lengths: [Int]) -> [Range<Int>] {
        let count = min(lengths.count, mostBlocks)
        let total = lengths.reduce(0, +)
        var blocks: [Range<Int>] = []
        var (start, tokens) = (0, 0)
        for (i, length) in lengths.enumerated() {
            tokens += length
            if tokens * count >= total * (blocks.count + 1) || i == lengths.count - 1 {
                blocks.append(start..<i + 1)
                start = i + 1
            }
        }
        return blocks
    }
}

extension Probe {
    /// The mean loss over labelled sequences and its gradient by `parameters`, in one pass over the
    /// tokens: forward, loss and gradient of a sequence while its tokens are in cache.
    ///
    /// The loss is that of the outputs (binary or multi-class cross-entropy, or squared error, the mean
    /// over outputs), without a penalty or a calibration: that of training for all kinds but ema and swim, which are
    /// trained by another way to the same parameters. The result has the same bits on any number of threads.
    ///
    /// - Throws: `DataError` where there is no sequence, labels, classes or width do not fit the probe, a hidden
    ///   state is NaN or infinite, or a file has become shorter.
    package func lossGradient(
        _ data: ActivationSet, threads: Int = Parallel.availableThreads
    ) throws -> (loss: Double, gradient: [Float]) {
        let data = try labelled(data)
        try ProbeSet([self]).checkFits(data)
        return try Objective(architecture, data, task, threads: threads).gradient(parameters)
    }
}
