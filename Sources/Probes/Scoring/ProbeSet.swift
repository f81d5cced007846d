private import Synchronization
public import Tensors
public import Activations
import Storage

/// Several probes that score in one pass: a sequence's tokens meet the weights of all of them
/// while they are in cache, in one wide product.
///
/// 64 probes cost far less than 64 times one, because reading the hidden states is most of the work
/// of one. A probe's scores beside others are those it has alone, within 1e-5 of the largest; with
/// more than four weight rows (2H for H heads and one output) on a processor with AVX2, AVX-512 or NEON,
/// the same bits. Of states of several layers side by side each probe may see its own (ProbeLayers.swift): then probes of
/// the same layers share a product.
public struct ProbeSet: Sendable {
    /// The probes.
    public let probes: [Probe]
    /// D of the hidden states that they are for.
    let width: Int
    // The columns of the states that some of the probes see, nil for all; which these are, and what takes them forward.
    let passes: [(columns: [Range<Int>]?, probes: [Int], pass: TokenPass)]
    // Of each probe, its outputs and then its heads' entropies, in one row for all.
    private let columns: [(outputs: Range<Int>, entropies: Range<Int>)]

    /// Probes of one width.
    ///
    /// - Precondition: there is a probe, and all have the same width.
    public init(_ probes: [Probe]) {
        precondition(!probes.isEmpty, "no probes")
        precondition(probes.allSatisfy { $0.width == probes[0].width }, "probes of different widths")
        self.init(probes, seeing: probes.map { _ in nil }, width: probes[0].width)
    }

    /// Probes that each see some columns of hidden states, nil for all.
    ///
    /// - Precondition: there is a probe, and each is as wide as its columns are.
    init(_ probes: [Probe], seeing views: [[Range<Int>]?], width: Int) {
        (self.probes, self.width) = (probes, width)
        var groups: [(columns: [Range<Int>]?, probes: [Int])] = []
        for (i, columns) in views.enumerated() {
            if let group = groups.firstIndex(where: { $0.columns == columns }) {
                groups[group].probes.append(i)
            } else {
                groups.append((columns, [i]))
            }
        }
        passes = groups.map { columns, own in
            let evaluators = own.map { probes[$0].architecture.scorer(probes[$0].parameters) }
            return (columns, own, TokenPass(evaluators, width: probes[own[0]].width))
        }
        var end = 0
        columns = probes.map { probe in
            let outputs = end..<end + probe.task.outputs
            end = outputs.upperBound + (probe.hasEntropies ? probe.configuration.heads : 0)
            return (outputs, outputs.upperBound..<end)
        }
    }

    /// Reads probe files.
    ///
    /// - Parameter opened: those of them that are open, by their paths.
    /// - Throws: `SystemError` where one cannot be read; `DataError` where there is none, one breaks the
    ///   format, or has another width than the first.
    package init(paths: [String], opened: [String: TensorFile] = [:]) throws {
        try self.init(Probe.all(paths: paths, opened: opened), names: paths)
    }

    /// Probes of one width.
    ///
    /// - Parameter names: what errors call them.
    /// - Throws: `DataError` where there is none, or one has another width than the first.
    package init(_ probes: [Probe], names: [String]) throws(DataError) {
        guard !probes.isEmpty else {
            throw DataError(.mismatch, "the probes", expected: "at least one file", found: "none")
        }
        for (name, probe) in zip(names, probes) where probe.width != probes[0].width {
            throw DataError(
                .mismatch, name, "tensor v.weight",
                expected: "the width of \(names[0]), \(probes[0].width)", found: "\(probe.width)")
        }
        self.init(probes)
    }

    /// Scores the sequences of a range, all by default; one result a probe.
    ///
    /// A score has the same bits whatever the range, the other sequences and the threads are.
    ///
    /// - Precondition: the range is within the set.
    /// - Throws: `DataError` where widths differ, there is no sequence in the set, a hidden state is NaN or
    ///   infinite, or a file has become shorter.
    public func scores(
        _ data: ActivationSet, _ range: Range<Int>? = nil, threads: Int = Parallel.availableThreads
    ) throws -> [Scores] {
        try checkFits(data)
        let range = range ?? data.indices
        try data.checkLengths(range)
        do {
            return try scores(data, range, threads, reading: data.readAhead(range))
        } catch let fault as SequenceFault {
            throw fault.error
        }
    }

    /// Scores a batch in memory. A call costs less than for an `ActivationSet`, whose making takes longer than scoring one
    /// short sequence; the error has no more than the number of the sequence.
    ///
    /// - Precondition: the batch is of the probes' width.
    /// - Throws: `NonFiniteSequence`.
    package func scores(
        _ batch: RaggedBatch, threads: Int = Parallel.availableThreads
    ) throws -> [Scores] {
        let rows = try rows(0..<batch.count, threads) { range, rows, work in
            do throws(NonFiniteSequence) {
                try forward(range.map { batch[$0] }, &rows, &work)
            } catch {
                throw NonFiniteSequence(index: range.lowerBound + error.index)
            }
        }
        return results(0..<batch.count, rows)
    }

    /// Scores all sequences from `start` on in order, a chunk at a time, and hands each chunk over as
    /// it is done, one result a probe: memory does not grow with the number of sequences. Files are
    /// read ahead of the arithmetic. Where a sequence fails, those before it are handed over first.
    ///
    /// - Parameters:
    ///   - start: the first sequence; 0 for all.
    ///   - chunkTokens: tokens of a chunk, about.
    /// - Precondition: `start` is not beyond the set.
    /// - Throws: what `body` throws; `DataError` where widths differ, there is no sequence in the set, a hidden
    ///   state is NaN or infinite, or a file has become shorter.
    public func forEachScores(
        _ data: ActivationSet, from start: Int = 0, threads: Int = Parallel.availableThreads,
        chunkTokens: Int = 1 << 17, _ body: ([Scores]) throws -> Void
    ) throws {
        try forEachChunk(data, from: start, chunkTokens: chunkTokens) { range, readAhead in
            try body(scores(data, range, threads, reading: readAhead))
        }
    }

    /// The same for all sequences, with something kept of each while the workspace has what its forward pass left.
    func forEachScores<Kept: Sendable>(
        _ data: ActivationSet, threads: Int, chunkTokens: Int,
        keeping keep: @Sendable (Int, Workspace) -> Kept, _ body: ([Scores], [Kept]) throws -> Void
    ) throws {
        try forEachChunk(data, from: 0, chunkTokens: chunkTokens) { range, readAhead in
            let kept = Mutex<[Int: Kept]>([:])
            let scores = try scores(data, range, threads, together: false, reading: readAhead) {
                index, work in
                let own = keep(index, work)
                kept.withLock { $0[index] = own }
            }
            try body(scores, kept.withLock { kept in range.map { kept[$0]! } })
        }
    }

    // Ranges of sequences in order. Where one fails, those of its range before it are tried alone.
    private func forEachChunk(
        _ data: ActivationSet, from start: Int, chunkTokens: Int,
        _ score: (Range<Int>, ReadAhead) throws -> Void
    ) throws {
        try checkFits(data)
        try data.forEachChunk(from: start, tokens: chunkTokens) { range, readAhead in
            do {
                try score(range, readAhead)
            } catch let fault as SequenceFault {
                if fault.index > range.lowerBound { try score(range.lowerBound..<fault.index, readAhead) }
                throw fault.error
            }
        }
    }

    // The first sequence of a range that cannot be scored.
    private struct SequenceFault: Error {
        let index: Int
        let error: DataError
    }

    // `then` finds what the forward pass left in the workspace where sequences are not taken together.
    private func scores(
        _ data: ActivationSet, _ range: Range<Int>, _ threads: Int, together: Bool = true,
        reading readAhead: ReadAhead, then: @Sendable (Int, Workspace) -> Void = { _, _ in }
    ) throws -> [Scores] {
        let rows = try rows(range, threads, together: together) { range, rows, work in
            do throws(NonFiniteSequence) {
                try forward(range.map { data[$0] }, &rows, &work)
            } catch {
                let index = range.lowerBound + error.index
                throw SequenceFault(index: index, error: data.projectionError(in: index))
            }
            for index in range {
                then(index, work)
                readAhead.advance(data.byteCount(index))
            }
        }
        return results(range, rows)
    }

    // What every sequence of a range has, a row each, by `body` a few sequences at a time.
    private func rows(
        _ range: Range<Int>, _ threads: Int, together: Bool = true,
        _ body: @Sendable (Range<Int>, inout MutableSpan<Float>, inout Workspace) throws -> Void
    ) throws -> Matrix {
        let width = rowWidth
        // All threads have several groups.
        let size =
            together && passes.count == 1
            ? max(1, min(passes[0].pass.groupSize, range.count / (4 * max(1, threads)))) : 1
        let starts = Parallel.starts(of: range, size: size)
        var storage = [Float](repeating: 0, count: range.count * width)
        _ = try Parallel.changeParts(
            of: &storage, at: starts.map { ($0 - range.lowerBound) * width }, threads: threads,
            workspace: Workspace.init
        ) { group, rows, work in try body(starts[group]..<starts[group + 1], &rows, &work) }
        return Matrix(rows: range.count, columns: width, storage: storage)
    }

    private var rowWidth: Int { columns.last!.entropies.upperBound }

    private func forward(
        _ sequences: [TokenSequence], _ rows: inout MutableSpan<Float>, _ work: inout Workspace
    ) throws(NonFiniteSequence) {
        for (seen, own, pass) in passes {
            let tokens = seen.map { seen in sequences.map { $0.columns(seen) } } ?? sequences
            try pass.forward(tokens, &work) { place, i, work in
                copy(work.outputs, into: &rows, columns[own[i]].outputs, of: place * rowWidth)
                copy(work.entropies, into: &rows, columns[own[i]].entropies, of: place * rowWidth)
            }
        }
    }

    /// Takes the only probe forward over a sequence, and leaves the workspace as that left it.
    func forward(_ sequence: TokenSequence, _ work: inout Workspace) throws(NonFiniteProjection) {
        try passes[0].pass.forward(sequence, &work)
    }

    private func results(_ range: Range<Int>, _ rows: Matrix) -> [Scores] {
        zip(probes, columns).map { probe, columns in
            Scores(
                range: range, logits: rows.columns(columns.outputs),
                entropies: probe.hasEntropies ? rows.columns(columns.entropies) : nil)
        }
    }

    package func checkFits(_ data: ActivationSet) throws(DataError) {
        try data.checkNotEmpty()
        try checkFits(width: data.width, data.files[0].path)
    }

    /// - Throws: `DataError` where hidden states are of another width.
    package func checkFits(width: Int, _ name: String) throws(DataError) {
        guard width == self.width else {
            throw DataError(
                .mismatch, name, "tensor hidden_states",
                expected: "the width of the probe, \(self.width)", found: "\(width)")
        }
    }
}

extension Probe {
    /// Whether `Scores` have entropies of its heads.
    package var hasEntropies: Bool {
        configuration.attends && configuration.attention == .softmax
    }
}

private func copy(
    _ values: [Float], into rows: inout MutableSpan<Float>, _ columns: Range<Int>, of row: Int
) {
    for (i, column) in columns.enumerated() { rows[row + column] = values[i] }
}
