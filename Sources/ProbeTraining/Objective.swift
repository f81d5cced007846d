import Storage
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
    let weights: [Float]?
    let isLargerThanMemory: Bool
    /// Asked in the middle of an evaluation; true ends it with a `CancellationError`.
    var isInterrupted: @Sendable () -> Bool = { false }
    /// Told in an evaluation that takes long how many sequences of how many it has seen, from any thread.
    var told: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    /// Blocks that sequences are cut into, or as many as there are sequences; nil for what suits the work.
    var blockCount: Int?
    // What an evaluation leaves for the next.
    let workspaces = Pool { Workspace() }
    let blockGradients = Pool { [[Float]]() }
    let jointWorkspaces = Pool { JointWorkspace() }

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
        var objective = LinearObjective(states, targets, task, weights: weights, threads: threads)
        (objective.isInterrupted, objective.told) = (isInterrupted, told)
        return objective
    }

    /// The mean loss over all sequences.
    func value(_ parameters: [Float]) throws -> Double {
        try ObjectivePass(self, parameters, over: Array(data.indices)).value() / Double(data.count)
    }

    /// The mean loss over all sequences, and its gradient.
    func gradient(_ parameters: [Float]) throws -> (loss: Double, gradient: [Float]) {
        var gradient: [Float] = []
        let loss = try self.gradient(parameters, over: Array(data.indices), into: &gradient)
        return (loss, gradient)
    }

    /// The mean loss over some sequences; `gradient` becomes its gradient.
    ///
    /// - Parameters:
    ///   - tokens: the tokens to use of a sequence, given its index; all by default.
    ///   - readAhead: reads the sequences of this call and of those to come; nil for those of this call alone.
    func gradient(
        _ parameters: [Float], over indices: [Int], tokens: (@Sendable (Int) -> TokenSequence)? = nil,
        readAhead: ReadAhead? = nil, into gradient: inout [Float]
    ) throws -> Double {
        gradient.grow(to: parameters.count)
        let pass = try ObjectivePass(self, parameters, over: indices, tokens: tokens, readAhead: readAhead)
        let loss = try pass.gradient(&gradient)
        let scale = 1 / Float(indices.count)
        _ = Parallel.changeParts(of: &gradient, at: Parallel.starts(of: gradient.indices), threads: threads) {
            for i in $1.indices { $1[i] *= scale }
        }
        return loss / Double(indices.count)
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
