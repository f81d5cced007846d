import AttentionProbes
import TestSupport
import Testing

// What a stream says after a token against what the probe says of the tokens so far as a sequence of their own.
@Suite("Scores token by token")
struct PrefixScoreTests {
    // Appends tokens in parts of random lengths that end at each of `lengths`.
    private func logits(
        _ stream: inout ProbeStream, _ tokens: [Float], lengths: [Int], mask: [Bool]? = nil
    ) throws -> [[Float]?] {
        let width = stream.probe.width
        return try lengths.map { length in
            let range = stream.count..<length
            try stream.append(
                Array(tokens[range.lowerBound * width..<range.upperBound * width]),
                mask: mask.map { Array($0[range]) })
            return stream.logits
        }
    }

    private func check(
        _ probe: Probe, _ tokens: [Float], lengths: [Int], mask: [Bool]? = nil, within limit: Float = 1e-5,
        atEnd last: Float = 1e-6, _ what: String = ""
    ) throws {
        var stream = try ProbeStream(probe)
        #expect(stream.logits == nil && stream.count == 0)
        let found = try logits(&stream, tokens, lengths: lengths, mask: mask)
        let expected = try probe.scoresOfPrefixes(tokens, lengths: lengths, mask: mask)
        let error = relativeError(found, expected)
        #expect(error <= limit, "\(probe.configuration), \(what)")
        // Of the largest of all, or of what is added up: an output may be a small sum of larger terms.
        let largest = expected.compactMap(\.self).joined().reduce(0.1) { max($0, abs($1)) }
        let exact = try probe.exactScore(tokens, mask: mask)
        let end = zip(found.last!!, exact).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(
            end <= last * largest, "\(probe.configuration), \(end / largest) after the last token, \(what)")
        let pooled = zip(found.last!!, expected.last!!).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(
            pooled <= last * largest,
            "\(probe.configuration), \(pooled / largest) from the score of the whole sequence, \(what)")
        #expect(stream.count == lengths.last! && stream.seen == mask?.count(where: \.self) ?? lengths.last!)
    }

    @Test(arguments: streamedConfigurations, [1, 3])
    func areThoseOfPrefixes(configuration: ProbeConfiguration, outputs: Int) throws {
        for (seed, (width, length)) in [(5, 1), (33, 40), (96, 700)].enumerated() {
            let probe = Probe.random(configuration, width: width, outputs: outputs, seed: UInt64(seed))
            let tokens = randomFloats(length * width, seed: 7)
            try check(probe, tokens, lengths: prefixLengths(length, seed: 3), "\(length) tokens")
        }
    }

    @Test(arguments: streamedConfigurations)
    func tokensOutOfSightCountAsPositionsAlone(configuration: ProbeConfiguration) throws {
        let probe = Probe.random(configuration, width: 20, outputs: 2, seed: 1)
        var tokens = randomFloats(300 * 20, seed: 2)
        var generator = SeededGenerator(seed: 4)
        var mask = (0..<300).map { _ in Bool.random(using: &generator) }
        for j in [0, 1, 2, 299] { mask[j] = false }
        let lengths = prefixLengths(300, seed: 5)
        try check(probe, tokens, lengths: lengths, mask: mask)
        // Not even as numbers.
        for j in 0..<300 where !mask[j] { tokens[j * 20] = .nan }
        var (stream, other) = (try ProbeStream(probe), try ProbeStream(probe))
        _ = try logits(&stream, tokens, lengths: lengths, mask: mask)
        for j in 0..<300 { try other.append(Array(tokens[j * 20..<(j + 1) * 20]), mask: [mask[j]]) }
        #expect(relativeError([stream.logits], [other.logits]) < 1e-6)
    }

    // The largest logits some 1e4, with x·q, with p·t rising and falling, and with both.
    @Test(
        arguments: streamedConfigurations,
        [("q.weight", 3000), ("position_weight", 60), ("v.weight", 3000)] as [(String, Float)])
    func steepLogitsAreExact(configuration: ProbeConfiguration, scaling: (String, Float)) throws {
        for seed in 0..<3 as Range<UInt64> {
            let probe = Probe.random(
                configuration, width: 24, outputs: 2, seed: seed, scaling: [scaling.0: scaling.1])
            let tokens = randomFloats(2500 * 24, seed: seed + 10)
            try check(probe, tokens, lengths: prefixLengths(2500, seed: seed), "\(scaling)")
        }
    }

    @Test(arguments: streamedConfigurations)
    func longTextsAreExact(configuration: ProbeConfiguration) throws {
        let probe = Probe.random(
            configuration, width: 4, outputs: 1, seed: 1, scaling: ["position_weight": 0.001])
        let tokens = randomFloats(100_000 * 4, seed: 2)
        try check(probe, tokens, lengths: [1, 1000, 50_000, 99_999, 100_000])
    }

    @Test(arguments: streamedConfigurations)
    func copiesAndStreamsReadAgainGoOn(configuration: ProbeConfiguration) throws {
        let probe = Probe.random(configuration, width: 12, outputs: 2, seed: 1)
        let (first, one, other) = (
            randomFloats(30 * 12, seed: 2), randomFloats(25 * 12, seed: 3), randomFloats(25 * 12, seed: 4)
        )
        var stream = try ProbeStream(probe)
        try stream.append(first)
        var copy = stream
        var read = try ProbeStream(bytes: stream.bytes, probe: probe)
        #expect(read.logits == stream.logits && read.count == 30 && read.seen == 30)
        try stream.append(one)
        try copy.append(other)
        try read.append(one)
        #expect(read.logits == stream.logits)
        #expect(try relativeError([stream.logits], probe.scoresOfPrefixes(first + one, lengths: [55])) < 1e-5)
        #expect(try relativeError([copy.logits], probe.scoresOfPrefixes(first + other, lengths: [55])) < 1e-5)
        stream.clear()
        #expect(stream.logits == nil && stream.count == 0)
        try stream.append(other)
        #expect(try relativeError([stream.logits], probe.scoresOfPrefixes(other, lengths: [25])) < 1e-5)
    }

    @Test(arguments: streamedConfigurations)
    func mergedStreamsAreThoseOfAllTokens(configuration: ProbeConfiguration) throws {
        let scaling: [String: Float] = ["position_weight": configuration.attention == .tanh ? 0 : 1]
        let probe = Probe.random(configuration, width: 12, outputs: 2, seed: 1, scaling: scaling)
        let tokens = randomFloats(60 * 12, seed: 2)
        var mask = [Bool](repeating: true, count: 60)
        for j in [0, 5, 20, 21, 40, 59] { mask[j] = false }
        func stream(_ range: Range<Int>, isSeen: Bool = true) throws -> ProbeStream {
            var stream = try ProbeStream(probe)
            try stream.append(
                Array(tokens[range.lowerBound * 12..<range.upperBound * 12]),
                mask: range.map { isSeen && mask[$0] })
            return stream
        }
        let windows: [ProbeKind] = [.rolling, .rollingAttention, .ema, .swim, .scTopK]
        var parts = try stream(0..<0)
        guard !([configuration] + configuration.parts).contains(where: { windows.contains($0.kind) }) else {
            #expect(!parts.isMergeable)
            let error = try #require(throws: DataError.self) { try parts.merge(stream(0..<3)) }
            #expect(error.description.contains("\(configuration.kind)") && parts.count == 0)
            return
        }
        for range in [0..<1, 1..<20, 20..<22, 22..<22, 22..<60] { try parts.merge(stream(range)) }
        let expected = try probe.scoresOfPrefixes(tokens, lengths: [60], mask: mask)
        #expect(relativeError([parts.logits], expected) < 1e-5)
        #expect(parts.count == 60 && parts.seen == 54)
        // Nothing but positions.
        try parts.merge(stream(0..<7, isSeen: false))
        #expect(parts.count == 67 && parts.seen == 54 && relativeError([parts.logits], expected) < 1e-5)
    }

    @Test func aTanhOfPositionsCannotBeMerged() throws {
        var stream = try ProbeStream(Probe.random(.attention(heads: 2, .tanh), width: 3, outputs: 1, seed: 1))
        let error = try #require(throws: DataError.self) { try stream.merge(stream) }
        #expect(error.description.contains("tanh"))
    }
}
