// The streams of a server: many texts at a time, of which each step goes on with some by one token.
//
//     var streams = try ProbeStreams(ProbeSet(paths: paths))
//     try streams.open(7)
//     let logits = try streams.step([7, …], states)[0]      // B×O of the first probe
//     try streams.close(7)
public import Activations
public import Tensors

/// Streams of several probes for many texts at once, each known by a number.
///
/// A step multiplies the tokens of all its texts with the weights of all probes in one product. Whatever throws changes
/// no stream.
public struct ProbeStreams: Sendable {
    private let pass: PrefixPass
    private let passes: [PrefixPass]
    private let threads: Int
    private var table = StreamTable()
    private var free: [Int] = []
    // A row a stream, its hot numbers all in one place: how many tokens there were, how many of them were seen, and then
    // the state. Both are whole numbers below 2^53.
    private var rows: [Double] = []
    private var rowCount = 0
    // What a step works on: the rows of its texts, copies of them, and logits.
    private var chosen: [Int] = []
    private var copies: [Double] = []
    private var logits: [Float] = []

    private static let head = 2
    private var size: Int { Self.head + pass.stateCount }

    /// No streams yet.
    ///
    /// - Parameter threads: of a step.
    /// - Throws: `DataError` where a probe is of a kind that has to see a sequence as a whole.
    public init(_ set: ProbeSet, threads: Int = Parallel.availableThreads) throws(DataError) {
        pass = try PrefixPass(set.probes)
        var passes: [PrefixPass] = []
        for probe in set.probes { passes.append(try PrefixPass([probe])) }
        (self.passes, self.threads) = (passes, threads)
    }

    /// The probes.
    package var probes: [Probe] { pass.probes }
    /// How many streams are open.
    public var count: Int { table.count }
    /// The numbers of the open streams, in no order.
    package var ids: [Int] { table.ids }

    /// Whether a stream is open.
    public func isOpen(_ id: Int) -> Bool { table[id] != nil }

    /// Opens a stream.
    ///
    /// - Parameter streams: what it goes on from, one a probe, all of the same tokens; nil for no tokens.
    /// - Throws: `DataError` where one is open by this number, or the streams are not those of the probes.
    public mutating func open(_ id: Int, from streams: [ProbeStream]? = nil) throws(DataError) {
        guard table[id] == nil else {
            throw fault(id, expected: "an id that is not open", found: "one that is")
        }
        if let streams {
            guard streams.count == passes.count,
                zip(streams, passes).allSatisfy({
                    $0.pass === $1 || $0.fingerprint == ProbeStream($1).fingerprint
                }),
                streams.allSatisfy({ $0.count == streams[0].count && $0.seen == streams[0].seen })
            else {
                throw fault(
                    id, expected: "a stream of each of the \(passes.count) probes, all of the same tokens",
                    found: "\(streams.count) others")
            }
        }
        let row = free.popLast() ?? rowCount
        if row == rowCount {
            rowCount += 1
            rows.append(contentsOf: repeatElement(0, count: size))
        }
        table.insert(id, row: row)
        let start = row * size
        (rows[start], rows[start + 1]) = (Double(streams?[0].count ?? 0), Double(streams?[0].seen ?? 0))
        guard let streams else {
            pass.begin(&rows, at: start + Self.head)
            return
        }
        for (i, stream) in streams.enumerated() {
            let own = start + Self.head + pass.stateRange(i).lowerBound
            for (j, number) in stream.state.enumerated() { rows[own + j] = number }
        }
    }

    /// What is known of a text, a stream a probe, to be gone on with elsewhere.
    ///
    /// - Throws: `DataError` where none is open by this number.
    public func streams(_ id: Int) throws(DataError) -> [ProbeStream] {
        guard let row = table[id] else { throw missing(id) }
        let start = row * size
        return passes.indices.map { i in
            let (state, range) = (start + Self.head, pass.stateRange(i))
            return ProbeStream(
                passes[i], state: Array(rows[state + range.lowerBound..<state + range.upperBound]),
                count: Int(rows[start]), seen: Int(rows[start + 1]))
        }
    }

    /// Closes a stream, and gives what was known of it.
    ///
    /// - Throws: `DataError` where none is open by this number.
    @discardableResult
    public mutating func close(_ id: Int) throws(DataError) -> [ProbeStream] {
        let last = try streams(id)
        forget(id)
        return last
    }

    /// Closes a stream if it is open.
    package mutating func forget(_ id: Int) {
        if let row = table.remove(id) { free.append(row) }
    }

    /// Adds one token to each of B streams. O(B·R·D).
    ///
    /// - Parameters:
    ///   - ids: the streams, none twice.
    ///   - tokens: hidden states, B×D, in the order of `ids`.
    ///   - mask: for each whether the probes may look at it; nil for all. A token that they may not look at counts as a
    ///     position, and its numbers do not matter.
    /// - Returns: of each probe the logits of these streams, B×O; NaN for a stream without a token to look at.
    /// - Throws: `DataError`, which names the id, where a stream is not open or twice there, the hidden states are of
    ///   another number, or one is NaN or infinite, or a product or output of it; no stream changes.
    public mutating func step(_ ids: [Int], _ tokens: [Float], mask: [Bool]? = nil) throws -> [Matrix] {
        try step(ids, tokens.span, mask: mask)
    }

    /// The same, of numbers that are lent.
    public mutating func step(_ ids: [Int], _ tokens: Span<Float>, mask: [Bool]? = nil) throws -> [Matrix] {
        let (pass, width, outputs) = (pass, pass.width, pass.outputCount)
        guard tokens.count == ids.count * width else {
            throw DataError(
                .mismatch, "the step", expected: "hidden states of \(ids.count)×\(width) numbers",
                found: "\(tokens.count) numbers")
        }
        guard mask == nil || mask?.count == ids.count else {
            throw DataError(
                .mismatch, "the step", "mask", expected: "\(ids.count) values, one a stream",
                found: "\(mask?.count ?? 0)")
        }
        do {
            try table.rows(ids, into: &chosen)
        } catch {
            switch error {
            case .missing(let id): throw missing(id)
            case .twice(let id): throw fault(id, expected: "an id once in a step", found: "it twice")
            }
        }
        let (size, head) = (size, Self.head)
        try Parallel.changeRows(
            chosen, of: &rows, columns: size, tile: pass.tileSize,
            threads: ids.count * width < 1 << 15 ? 1 : threads, spare: &copies, results: &logits,
            resultColumns: outputs, workspace: TileWorkspace.init
        ) { range, work in
            let tile = tokens.extracting(range.lowerBound * width..<range.upperBound * width)
            work.isFinite = pass.project(tile, count: range.count, &work.pass)
        } change: { range, rows, logits, work in
            let tile = tokens.extracting(range.lowerBound * width..<range.upperBound * width)
            for (j, i) in range.enumerated() {
                let row = j * size
                let (count, seen) = (Int(rows[row]), Int(rows[row + 1]))
                let isSeen = mask?[i] ?? true
                var isGood = true
                if isSeen {
                    isGood = work.isFinite || pass.isFinite(tile, j, of: range.count, work.pass)
                    do {
                        if isGood {
                            try pass.advance(
                                &rows, at: row + head, tile, token: j, of: range.count, position: count,
                                seen: seen, &work.pass)
                        }
                    } catch { isGood = false }
                    rows[row + 1] += 1
                }
                rows[row] += 1
                pass.write(
                    rows.span, at: row + head, seen: isSeen ? seen + 1 : seen, into: &logits, at: j * outputs,
                    &work.pass)
                if isSeen { for o in 0..<outputs { isGood = isGood && logits[j * outputs + o].isFinite } }
                guard isGood else {
                    throw pass.fault(
                        tile.extracting(j * width..<(j + 1) * width), "the step", "row \(i), id \(ids[i])")
                }
            }
        }
        let all = Matrix(
            rows: ids.count, columns: outputs, storage: Array(logits[..<(ids.count * outputs)]))
        return pass.probes.count == 1 ? [all] : pass.probes.indices.map { all.columns(pass.outputRange($0)) }
    }

    // Buffers of one thread.
    private struct TileWorkspace: Sendable {
        var pass = PrefixPass.Workspace()
        // Whether all products of the tile are.
        var isFinite = false
    }

    private func missing(_ id: Int) -> DataError {
        fault(id, expected: "the id of an open stream", found: "one that is not open")
    }

    private func fault(_ id: Int, expected: String, found: String) -> DataError {
        DataError(.mismatch, "the streams", "id \(id)", expected: expected, found: found)
    }
}
