// A score that grows with its text:
//
//     var stream = try ProbeStream(probe)
//     for state in states {                     // D numbers of every token, as the model gives them
//         try stream.append(state)
//         if let logits = stream.logits, … { stop }
//     }
public import Activations
import Tensors

/// What a probe knows of the tokens of a sequence so far: a value that takes tokens and tells their score.
///
/// The logits are those of the tokens so far as a sequence of their own, within 1e-5 of the largest. A copy goes its
/// own way, as for a text that branches. To append a token takes O(R·D) operations with R weight rows, and no memory
/// but before the first.
public struct ProbeStream: Sendable {
    let pass: PrefixPass
    /// Tokens so far, those that the probe may not look at included: the position of the next.
    public internal(set) var count = 0
    /// Tokens so far that the probe may look at.
    public internal(set) var seen = 0
    var state: [Double]
    private var work = PrefixPass.Workspace()

    /// A stream without a token.
    ///
    /// - Throws: `DataError` where the probe is of a kind that has to see a sequence as a whole.
    public init(_ probe: Probe) throws(DataError) { self.init(try PrefixPass([probe])) }

    init(_ pass: PrefixPass) {
        self.pass = pass
        state = Array(repeating: 0, count: pass.stateCount)
        clear()
    }

    init(_ pass: PrefixPass, state: [Double], count: Int, seen: Int) {
        (self.pass, self.state, self.count, self.seen) = (pass, state, count, seen)
    }

    /// The probe.
    package var probe: Probe { pass.probes[0] }

    /// Forgets all tokens.
    public mutating func clear() {
        (count, seen) = (0, 0)
        pass.begin(&state, at: 0)
    }

    /// Adds a token, or several: D numbers each, one token after the other.
    ///
    /// - Parameter mask: for each token whether the probe may look at it; nil for all. One that it may not look at
    ///   counts as a position, and its numbers do not matter.
    /// - Throws: `DataError` where the tokens have another width, the mask another length, or a number is NaN or
    ///   infinite, or its product with the probe's weights; the stream stays as it was.
    public mutating func append(_ tokens: [Float], mask: [Bool]? = nil) throws(DataError) {
        try append(tokens.span, mask: mask)
    }

    /// The same, of numbers that are lent.
    public mutating func append(_ tokens: Span<Float>, mask: [Bool]? = nil) throws(DataError) {
        let width = pass.width
        guard tokens.count % width == 0 else {
            throw DataError(
                .mismatch, "the stream", "token \(count)", expected: "hidden states of \(width) numbers",
                found: "\(tokens.count) numbers")
        }
        let tokenCount = tokens.count / width
        guard mask == nil || mask?.count == tokenCount else {
            throw DataError(
                .mismatch, "the stream", "mask", expected: "\(tokenCount) values, one a token",
                found: "\(mask?.count ?? 0)")
        }
        // One token changes nothing before it is known to be good, but for one part before another.
        let before = tokenCount > 1 || !probe.configuration.parts.isEmpty ? (count, seen, state) : nil
        for start in stride(from: 0, to: tokenCount, by: pass.tileSize) {
            let tile = min(pass.tileSize, tokenCount - start)
            do throws(TokenFault) {
                try add(
                    tokens.extracting(start * width..<(start + tile) * width), tile,
                    mask?[start..<start + tile])
            } catch {
                let token = start + error.token
                if let before { (count, seen, state) = before }
                throw pass.fault(
                    tokens.extracting(token * width..<(token + 1) * width), "the stream",
                    "token \(count + token)")
            }
        }
    }

    private struct TokenFault: Error { let token: Int }

    private mutating func add(
        _ tokens: Span<Float>, _ tile: Int, _ mask: ArraySlice<Bool>?
    ) throws(TokenFault) {
        if tile == 1, mask?.first == false {
            count += 1
            return
        }
        let allAreFinite = pass.project(tokens, count: tile, &work)
        for j in 0..<tile {
            if let mask, !mask[mask.startIndex + j] {
                count += 1
                continue
            }
            guard allAreFinite || pass.isFinite(tokens, j, of: tile, work) else { throw TokenFault(token: j) }
            do {
                try pass.advance(&state, tokens, token: j, of: tile, position: count, seen: seen, &work)
            } catch {
                throw TokenFault(token: j)
            }
            count += 1
            seen += 1
        }
    }

    /// The outputs for the tokens so far, O logits; nil where there was none that the probe may look at. Infinite where
    /// an output is beyond the range of float32.
    public var logits: [Float]? {
        guard seen > 0 else { return nil }
        var logits = [Float](repeating: 0, count: pass.outputCount)
        var buffers = PrefixPass.Workspace()
        pass.write(state, seen: seen, into: &logits, &buffers)
        return logits
    }

    /// Gives the first O elements of an array the `logits`, NaN where there are none; without a need for memory.
    ///
    /// - Precondition: the array has O elements.
    package mutating func copyLogits(into logits: inout [Float]) {
        precondition(
            logits.count >= pass.outputCount, "\(logits.count) elements for \(pass.outputCount) logits")
        pass.write(state, seen: seen, into: &logits, &work)
    }

    /// Whether `merge` can be exact for this probe: not where windows or averages reach over the border, as in
    /// rolling, ema and rolling-attention probes, nor for a tanh of positions.
    public var isMergeable: Bool { pass.isMergeable }

    /// Adds all that another stream of this probe has seen, as if its tokens had followed here.
    ///
    /// - Throws: `DataError` where it is a stream of another probe, or the probe's kind does not allow it; the stream
    ///   stays as it was.
    public mutating func merge(_ later: ProbeStream) throws(DataError) {
        guard later.pass === pass || later.fingerprint == fingerprint else {
            throw DataError(
                .mismatch, "the later stream", expected: "a stream of \(title)",
                found: "one of \(later.title)")
        }
        guard isMergeable else {
            throw DataError(
                .mismatch, "the stream", expected: "a probe whose streams can be merged",
                found: probe.configuration.summary)
        }
        pass.merge(&state, later.state, count: count)
        count += later.count
        seen += later.seen
    }
}
