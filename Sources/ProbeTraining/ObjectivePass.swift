import Storage
import Tensors
import Activations
import ProbeMetrics
import Probes

/// One evaluation of a loss over some sequences with some parameters.
struct ObjectivePass: Sendable {
    private let objective: Objective
    private let indices: [Int]
    private let tokens: @Sendable (Int) -> TokenSequence
    private let parameters: [Float]
    private let evaluator: any ProbeEvaluator
    private let pass: TokenPass
    // Of `indices`; each is one thread's at a time.
    private let blocks: [Range<Int>]
    private let readAhead: ReadAhead?
    // Sequences that were seen; nil where there are few numbers.
    private let seen: PartCount?

    /// - Parameters:
    ///   - tokens: the tokens to use of a sequence, given its index; all by default.
    ///   - readAhead: reads the sequences; by default it is made for them, but for data that fit in memory, which are
    ///     there after the first pass.
    init(
        _ objective: Objective, _ parameters: [Float], over indices: [Int],
        tokens: (@Sendable (Int) -> TokenSequence)? = nil, readAhead: ReadAhead? = nil
    ) throws {
        let data = objective.data
        try data.checkLengths(indices)
        self.objective = objective
        self.indices = indices
        self.parameters = parameters
        self.tokens = tokens ?? { data[$0] }
        evaluator = objective.architecture.evaluator(parameters)
        pass = TokenPass([evaluator], width: objective.architecture.width)
        let lengths = indices.map { data[$0].rows.count }
        seen = lengths.reduce(0, +) * data.width > Self.pieceSize ? PartCount() : nil
        blocks = Objective.blocks(
            lengths,
            count: objective.blockCount
                ?? Objective.blockCount(
                    objective.architecture, tokens: lengths.reduce(0, +), sequences: lengths.count))
        self.readAhead =
            if let readAhead { readAhead } else if objective.isLargerThanMemory {
                data.readAhead(Objective.order(indices, blocks, objective.threads))
            } else { nil }
    }

    /// The sum of the losses.
    func value() throws -> Double {
        let scoring = TokenPass(
            [objective.architecture.scorer(parameters)], width: objective.architecture.width)
        return try Parallel.map(
            count: blocks.count, threads: objective.threads, workspace: objective.workspaces.lend
        ) { block, work in
            try forEachPiece(of: blocks[block]) { piece, sequences in
                var total = 0.0
                do {
                    try scoring.forward(sequences, &work.value) { i, _, work in
                        total += loss(piece.lowerBound + i, &work)
                    }
                } catch { throw NonFiniteProjection() }
                return total
            }
        }.reduce(0, +)
    }

    /// The sum of the losses; `gradient` becomes its gradient.
    ///
    /// - Precondition: as many numbers as there are parameters.
    func gradient(_ gradient: inout [Float]) throws -> Double {
        let tokens = indices.reduce(0) { $0 + objective.data[$1].rows.count }
        if let architecture = objective.architecture as? any JointArchitecture,
            architecture.isFasterJointly(tokens: tokens, blocks: min(Objective.fewBlocks, blocks.count))
        {
            return try jointGradient(evaluator as! any JointEvaluator, &gradient)
        }
        return try blockGradients(&gradient)
    }

    // A gradient for each block, added in order.
    private func blockGradients(_ gradient: inout [Float]) throws -> Double {
        let count = gradient.count
        let own = objective.blockGradients.lend()
        while own.value.count < blocks.count { own.value.append([]) }
        let losses = try Parallel.changeParts(
            of: &own.value, at: Array(0...blocks.count), threads: objective.threads,
            workspace: objective.workspaces.lend
        ) { block, gradients, work in
            gradients[0].reset(count: count)
            return try forEachPiece(of: blocks[block]) { piece, sequences in
                var total = 0.0
                try evaluator.addGradients(sequences, pass.projection, &work.value, gradient: &gradients[0]) {
                    total += loss(piece.lowerBound + $0, &$1)
                }
                return total
            }
        }
        Objective.add(own.value[..<blocks.count], into: &gradient, threads: objective.threads)
        return losses.reduce(0, +)
    }

    // One gradient that all sequences add to together, some of them at a time.
    private func jointGradient(_ evaluator: any JointEvaluator, _ gradient: inout [Float]) throws -> Double {
        let own = objective.jointWorkspaces.lend()
        return try forEachPiece(of: 0..<indices.count, numbers: evaluator.jointNumbers) { piece, sequences in
            try evaluator.jointGradient(
                sequences, blocks: Objective.blocks(sequences.map(\.count)), pass.projection!,
                addsTo: piece.lowerBound > 0, threads: objective.threads, objective.workspaces, &own.value,
                gradient: &gradient
            ) { loss(piece.lowerBound + $0, &$1) }
        }
    }

    // Floats of a piece, 64 MB.
    private static let pieceSize = 1 << 24

    // Adds up what `body` gives for consecutive sequences of a range, of 64 MB together or one alone, where one of n
    // tokens takes as many floats as `numbers` says, or has as many itself.
    private func forEachPiece(
        of range: Range<Int>, numbers: ((Int) -> Int)? = nil,
        _ body: (Range<Int>, [TokenSequence]) throws -> Double
    ) throws -> Double {
        let (most, width) = (Self.pieceSize, objective.architecture.width)
        var (total, start) = (0.0, range.lowerBound)
        while start < range.upperBound {
            if objective.isInterrupted() { throw CancellationError() }
            var (end, size) = (start, 0)
            while end < range.upperBound {
                let tokens = objective.data[indices[end]].rows.count
                size += numbers?(tokens) ?? tokens * width
                if end > start, size > most { break }
                end += 1
            }
            let sequences = indices[start..<end].map(tokens)
            do {
                total += try body(start..<end, sequences)
            } catch is NonFiniteProjection {
                var work = Workspace()
                let faulty = zip(start..<end, sequences).first { (try? pass.forward($1, &work)) == nil }
                throw objective.data.projectionError(in: indices[faulty?.0 ?? start])
            }
            if let seen { objective.told(seen.add(end - start), indices.count) }
            start = end
        }
        return total
    }

    // The loss of the i-th sequence, given its outputs in the workspace, where its gradient by them is left.
    private func loss(_ i: Int, _ work: inout Workspace) -> Double {
        let index = indices[i]
        let weight = objective.weights?[index] ?? 1
        let loss = objective.loss(work.outputs, objective.targets[index], gradient: &work.outputGradient)
        if weight != 1 { for o in work.outputGradient.indices { work.outputGradient[o] *= weight } }
        readAhead?.advance(objective.data.byteCount(index))
        return Double(weight) * loss
    }
}
