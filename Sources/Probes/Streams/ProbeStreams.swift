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
    private var slots: [Int: Int] = [:]
    private var free: [Int] = []
    // By slot.
    private var states: [Double] = []
    private var places: [Place] = []
    // What a step works on: states and logits of its texts.
    private var advanced: [Double] = []
    private var logits: [Float] = []
    private var chosen: [Int] = []
    private var stepCount = 0

    // How far a text is.
    private struct Place { var count = 0, seen = 0, lastStep = 0 }

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
    public var probes: [Probe] { pass.probes }
    /// How many streams are open.
    public var count: Int { slots.count }
    /// The numbers of the open streams, in no order.
    public var ids: [Int] { Array(slots.keys) }

    /// Whether a stream is open.
    public func isOpen(_ id: Int) -> Bool { slots[id] != nil }

    /// Opens a stream.
    ///
    /// - Parameter streams: what it goes on from, one a probe, all of the same tokens; nil for no tokens.
    /// - Throws: `DataError` where one is open by this number, or the streams are not those of the probes.
    public mutating func open(_ id: Int, from streams: [ProbeStream]? = nil) throws(DataError) {
        guard slots[id] == nil else {
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
        let slot = free.popLast() ?? places.count
        if slot == places.count {
            places.append(Place())
            states.append(contentsOf: repeatElement(0, count: pass.stateCount))
        }
        slots[id] = slot
        places[slot] = Place(count: streams?[0].count ?? 0, seen: streams?[0].seen ?? 0)
        let start = slot * pass.stateCount
        guard let streams else {
            pass.begin(&states, at: start)
            return
        }
        for (i, stream) in streams.enumerated() {
            for (j, number) in stream.state.enumerated() {
                states[start + pass.stateRange(i).lowerBound + j] = number
            }
        }
    }

    /// What is known of a text, a stream a probe, to be gone on with elsewhere.
    ///
    /// - Throws: `DataError` where none is open by this number.
    public func streams(_ id: Int) throws(DataError) -> [ProbeStream] {
        let slot = try slot(id)
        return passes.indices.map { i in
            let range = pass.stateRange(i)
            let start = slot * pass.stateCount
            return ProbeStream(
                passes[i], state: Array(states[start + range.lowerBound..<start + range.upperBound]),
                count: places[slot].count, seen: places[slot].seen)
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
    public mutating func forget(_ id: Int) {
        if let slot = slots.removeValue(forKey: id) { free.append(slot) }
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
        let (width, size, outputs) = (pass.width, pass.stateCount, pass.outputCount)
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
        try choose(ids)
        if advanced.count != ids.count * size { advanced = Array(repeating: 0, count: ids.count * size) }
        if logits.count != ids.count * outputs { logits = Array(repeating: 0, count: ids.count * outputs) }
        for (i, slot) in chosen.enumerated() {
            for j in 0..<size { advanced[i * size + j] = states[slot * size + j] }
        }
        // Not all places, which would be copied when they change.
        let (pass, places) = (self.pass, chosen.map { self.places[$0] })
        try Parallel.forEachTile(
            rows: ids.count, tile: pass.tileSize, threads: ids.count * width < 1 << 15 ? 1 : threads,
            &advanced,
            columns: size, &logits, columns: outputs, workspace: PrefixPass.Workspace.init
        ) { rows, states, logits, work in
            let tile = tokens.extracting(rows.lowerBound * width..<rows.upperBound * width)
            let allAreFinite = pass.project(tile, count: rows.count, &work)
            for (j, i) in rows.enumerated() {
                let place = places[i]
                let isSeen = mask?[i] ?? true
                var isGood = true
                if isSeen {
                    isGood = allAreFinite || pass.isFinite(tile, j, of: rows.count, work)
                    do {
                        if isGood {
                            try pass.advance(
                                &states, at: j * size, tile, token: j, of: rows.count, position: place.count,
                                seen: place.seen, &work)
                        }
                    } catch { isGood = false }
                }
                let seen = place.seen + (isSeen ? 1 : 0)
                pass.write(states.span, at: j * size, seen: seen, into: &logits, at: j * outputs, &work)
                if isSeen { for o in 0..<outputs { isGood = isGood && logits[j * outputs + o].isFinite } }
                guard isGood else {
                    throw pass.fault(
                        tile.extracting(j * width..<(j + 1) * width), "the step", "row \(i), id \(ids[i])")
                }
            }
        }
        for (i, slot) in chosen.enumerated() {
            for j in 0..<size { states[slot * size + j] = advanced[i * size + j] }
            self.places[slot].count += 1
            if mask?[i] ?? true { self.places[slot].seen += 1 }
        }
        let all = Matrix(rows: ids.count, columns: outputs, storage: logits)
        return pass.probes.count == 1 ? [all] : pass.probes.indices.map { all.columns(pass.outputRange($0)) }
    }

    // Finds the slots of a step.
    private mutating func choose(_ ids: [Int]) throws(DataError) {
        stepCount += 1
        chosen.removeAll(keepingCapacity: true)
        for id in ids {
            let slot = try slot(id)
            guard places[slot].lastStep != stepCount else {
                throw fault(id, expected: "an id once in a step", found: "it twice")
            }
            places[slot].lastStep = stepCount
            chosen.append(slot)
        }
    }

    private func slot(_ id: Int) throws(DataError) -> Int {
        guard let slot = slots[id] else {
            throw fault(id, expected: "the id of an open stream", found: "one that is not open")
        }
        return slot
    }

    private func fault(_ id: Int, expected: String, found: String) -> DataError {
        DataError(.mismatch, "the streams", "id \(id)", expected: expected, found: found)
    }
}
