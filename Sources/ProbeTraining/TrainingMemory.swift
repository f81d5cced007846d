// What a training needs in memory, at the least, so that one that cannot fit is refused in a sentence before anything
// is allocated. With P parameters, all numbers floats:
//
//     P·(B + c)      gradients of the B blocks of a step, or one for all of them, and c vectors more: of AdamW 8 (start,
//                    latest and best parameters, these in double precision, two moments, and for the products the
//                    parameters and their gradient on tokens as they are); of L-BFGS 10 and two for each of the
//                    pairs that it keeps, up to ten
//     threads·L·N    numbers of the tokens of the longest sequence (`numbersPerToken`)
//
//     N·(D + …)      of probes on pooled states these and what comes of them (`pooledBytes`)
//
// and for fits in one step what they say themselves.
package import Activations
package import Storage
import Probes
import Tensors

/// A training that needs more memory than there is.
public struct MemoryShortage: Error, Equatable, CustomStringConvertible {
    /// What was to be trained.
    package let training: String
    /// Bytes that it needs at the least.
    public let needed: Double
    /// What there is.
    package let available: AvailableMemory

    /// "attention, 8 heads, hidden 65536 on states of width 384: expected what fits into memory, 14.9 GB left on this
    /// machine, found at least 33.6 GB needed".
    public var description: String {
        "\(training): expected what fits into memory, \(available), found at least \(byteText(needed)) needed"
    }

    /// Little enough for any machine.
    private static let small = 64e6

    // What OpenBLAS takes for each product that is under way, of which few are at a time. Where a limit of the process keeps it
    // from having that, it asks for it again for ever.
    private static let openBLASBuffer = 136e6
    private static let mostProducts = 4

    /// - Parameter threads: how many share the training.
    /// - Throws: `MemoryShortage` where there is less memory than `needed`, or where a limit of the process leaves OpenBLAS none.
    package static func check(
        _ needed: Double, threads: Int, _ training: @autoclosure () -> String
    ) throws(MemoryShortage) {
        let buffers = openBLASBuffer * Double(min(threads, Parallel.availableThreads, mostProducts))
        if let own = AvailableMemory.ofProcess(), needed + buffers > Double(own.bytes) {
            throw MemoryShortage(training: training(), needed: needed + buffers, available: own)
        }
        guard needed > small || AvailableMemory.isLimited, let available = AvailableMemory.now(),
            needed > Double(available.bytes)
        else { return }
        throw MemoryShortage(training: training(), needed: needed, available: available)
    }
}

extension Candidate {
    /// Bytes that a training needs at the least.
    package func trainingBytes(_ data: ActivationSet, _ task: ProbeTask, threads: Int) -> Double {
        if let bytes = configuration.kind.closedForm?.bytes { return bytes(Double(data.width)) }
        let architecture = configuration.trainedArchitecture(width: data.width, outputs: task.outputs)
        let batch =
            options.optimizer == .adamw ? min(options.batchSize(for: data.count), data.count) : data.count
        let lengths = data.indices.map { data.length($0) }
        let stepTokens = lengths.reduce(0, +) / max(1, data.count) * batch
        let blocks = Objective.blockCount(architecture, tokens: stepTokens, sequences: batch)
        let gradients =
            (architecture as? any JointArchitecture)?.isFasterJointly(
                tokens: stepTokens, blocks: min(Objective.fewBlocks, blocks))
                ?? false
            ? 1 : blocks
        let vectors = options.optimizer == .adamw ? 8 : 10 + 2 * min(options.epochs, 10)
        let tokens = (lengths.max() ?? 0) * min(threads, blocks)
        // Three matrices for the inverse root of the correlations, and two of its products.
        let whitening = options.whitens ? 20 * Double(data.width) * Double(data.width) : 0
        return pooledBytes(data, task, blocks: blocks) + whitening + 4
            * Double(architecture.tensors.parameterCount) * Double(gradients + vectors)
            + 4 * Double(architecture.numbersPerToken) * Double(tokens)
    }

    // Of a probe on pooled states these, and where L-BFGS trains it those as it sees them, the outputs of all sequences and a
    // gradient of each block, the last two in double precision.
    private func pooledBytes(_ data: ActivationSet, _ task: ProbeTask, blocks: Int) -> Double {
        guard pooling != nil else { return 0 }
        let (count, width, outputs) = (Double(data.count), Double(data.width), Double(task.outputs))
        let states = 4 * count * width
        guard options.optimizer == .lbfgs else { return states }
        return 2 * states + 8 * count * outputs + 8 * Double(blocks) * (width + 1) * outputs
    }

    /// Bytes of the probes that are kept for an average, and of that.
    package func averageBytes(_ data: ActivationSet, _ task: ProbeTask, of count: Int) -> Double {
        guard count > 1, configuration.canBeAveraged else { return 0 }
        let architecture = configuration.architecture(width: data.width, outputs: task.outputs)
        return 4 * Double(architecture.tensors.parameterCount) * 2 * Double(count)
    }
}

extension Trainer {
    /// Refuses a training that cannot fit into memory.
    ///
    /// - Parameter average: how many probes are trained one after the other, and kept for their average.
    /// - Throws: `MemoryShortage`; `DataError` where labels are missing.
    package func checkMemory(_ data: ActivationSet, task: ProbeTask? = nil, average: Int = 1) throws {
        let task = try task ?? data.task()
        let options = options ?? .suited(to: configuration.kind, task)
        let candidate = Candidate(configuration, options)
        let threads = min(options.threads, Parallel.availableThreads)
        let needed =
            candidate.trainingBytes(data, task, threads: threads)
            + candidate.averageBytes(data, task, of: average)
        try MemoryShortage.check(
            needed, threads: threads, "\(candidate.name) on states of width \(data.width)")
    }
}
