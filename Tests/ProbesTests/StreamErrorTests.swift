import AttentionProbes
import TestSupport
import Testing

@Suite("Streams given what is wrong")
struct StreamErrorTests {
    private func expectError(
        _ rule: DataError.Rule, _ words: String, location: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) throws {
        let error = try #require(throws: DataError.self, sourceLocation: location, performing: body)
        #expect(error.rule == rule && error.description.contains(words), "\(error)", sourceLocation: location)
    }

    @Test(arguments: streamedConfigurations)
    func badTokensChangeNothing(configuration: ProbeConfiguration) throws {
        let probe = Probe.random(configuration, width: 6, outputs: 2, seed: 1)
        var stream = try ProbeStream(probe)
        try stream.append(randomFloats(5 * 6, seed: 2))
        let before = stream.bytes
        try expectError(.mismatch, "hidden states of 6 numbers, found 7") {
            try stream.append(randomFloats(7, seed: 3))
        }
        try expectError(.mismatch, "expected 2 values, one a token, found 1") {
            try stream.append(randomFloats(12, seed: 3), mask: [true])
        }
        for (count, bad, value) in [(1, 0, Float.nan), (300, 250, .infinity), (300, 299, -.infinity)] {
            var tokens = randomFloats(count * 6, seed: 4)
            tokens[bad * 6 + 3] = value
            try expectError(
                .nonFinite,
                "the stream: token \(5 + bad), dimension 3: expected a finite number, found \(value)"
            ) { try stream.append(tokens) }
            #expect(stream.bytes == before)
        }
        var next = stream
        try next.append(randomFloats(6, seed: 5))
        #expect(next.bytes != before && stream.bytes == before)
    }

    @Test func productsBeyondFloatsAreRefused() throws {
        let probe = Probe.random(.attention(heads: 2), width: 6, outputs: 1, seed: 1)
        var stream = try ProbeStream(probe)
        try expectError(.overflow, "token 0") { try stream.append(Array(repeating: 3e38, count: 6)) }
        // Only behind the first layer.
        let layers = Probe.random(
            ProbeConfiguration(.mlpAttention, heads: 2, units: 4), width: 6, outputs: 1, seed: 1,
            scaling: ["mlp.2.weight": 1e30])
        var behind = try ProbeStream(layers)
        let large = randomFloats(6 * 3, seed: 2, scale: 1e15)
        try expectError(.overflow, "token 0") { try behind.append(large) }
        let empty = try ProbeStream(layers)
        #expect(behind.count == 0 && behind.bytes == empty.bytes)
    }

    // The difference of the logits is beyond a float, so the later tokens have no weight, wherever it is taken: over a whole
    // sequence, token by token, of tokens together, and in a step of several streams.
    @Test(
        arguments: [
            (ProbeConfiguration.attention(heads: 2), [1, 0, 0.5, 0, 0, 1, 0, 1, 0, 0, 0, 0], Float(6)),
            (ProbeConfiguration(.rollingAttention, heads: 2), [1, 0, 0.5, 0, 0, 1, 0, 1, 0, 0], 6),
            (ProbeConfiguration(.softmax), [1, 0, 0], 3e38),
        ] as [(ProbeConfiguration, [Float], Float)])
    func logitsFarBelowOthersHaveNoWeight(
        configuration: ProbeConfiguration, parameters: [Float], expected: Float
    ) throws {
        let probe = Probe(
            configuration, width: 2, task: .binary(classes: ["a", "b"]), parameters: parameters)
        let tokens: [Float] = [3e38, 3, -3e38, -3, -3e38, -3]
        func check(_ logit: Float?) { #expect(abs(logit! / expected - 1) < 1e-5) }
        for logits in try probe.scoresOfPrefixes(tokens, lengths: [1, 2, 3]) { check(logits?[0]) }
        var (oneByOne, together) = (try ProbeStream(probe), try ProbeStream(probe))
        var streams = try ProbeStreams(ProbeSet([probe]))
        try streams.open(1)
        for t in 0..<3 {
            let token = Array(tokens[2 * t..<2 * t + 2])
            try oneByOne.append(token)
            check(try streams.step([1], token)[0][0, 0])
        }
        try together.append(Array(tokens[..<2]))
        try together.append(Array(tokens[2...]))
        for stream in [oneByOne, together] { check(stream.logits?[0]) }
    }

    @Test func streamsOfOtherProbesAreRefused() throws {
        let probe = Probe.random(.attention(heads: 2), width: 6, outputs: 1, seed: 1)
        var stream = try ProbeStream(probe)
        try stream.append(randomFloats(12, seed: 1))
        let bytes = stream.bytes
        for other in [
            Probe.random(.attention(heads: 2), width: 6, outputs: 1, seed: 2),
            Probe.random(.attention(heads: 3), width: 6, outputs: 1, seed: 1),
            Probe.random(.mean, width: 6, outputs: 1, seed: 1),
        ] {
            try expectError(.mismatch, "fingerprint: expected a stream of the probe") {
                _ = try ProbeStream(bytes: bytes, probe: other)
            }
            var own = try ProbeStream(other)
            try expectError(.mismatch, "expected a stream of the probe") { try own.merge(stream) }
            #expect(own.count == 0)
        }
        // The same probe read twice is the same.
        var again = try ProbeStream(Probe.random(.attention(heads: 2), width: 6, outputs: 1, seed: 1))
        try again.merge(stream)
        #expect(again.logits == stream.logits)
    }

    @Test func damagedBytesAreRefused() throws {
        let probe = Probe.random(.attention(heads: 2), width: 6, outputs: 1, seed: 1)
        var stream = try ProbeStream(probe)
        try stream.append(randomFloats(12, seed: 1))
        let bytes = stream.bytes
        for count in bytes.indices {
            #expect(throws: DataError.self) {
                _ = try ProbeStream(bytes: Array(bytes[..<count]), probe: probe)
            }
        }
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 0x41
            #expect(throws: DataError.self) { _ = try ProbeStream(bytes: changed, probe: probe) }
        }
        try expectError(.header, "saved.stream: expected a stream") {
            _ = try ProbeStream(bytes: [1, 2, 3], probe: probe, name: "saved.stream")
        }
        #expect(throws: DataError.self) { _ = try ProbeStream(bytes: bytes + [0], probe: probe) }
    }
}
