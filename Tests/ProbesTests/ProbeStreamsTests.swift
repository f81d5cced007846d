import AttentionProbes
import TestSupport
import Testing

@Suite("Many streams at once")
struct ProbeStreamsTests {
    private func probes(width: Int) -> [Probe] {
        streamedConfigurations.enumerated().map {
            Probe.random($1, width: width, outputs: 1 + $0 % 3, seed: UInt64($0))
        }
    }

    private func expectError(
        _ words: String, location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) throws {
        let error = try #require(throws: DataError.self, sourceLocation: location, performing: body)
        #expect(error.description.contains(words), "\(error)", sourceLocation: location)
    }

    // A hundred texts that begin and end at different times, some tokens out of sight, against a stream each.
    @Test(arguments: [1, 3]) func stepsAreThoseOfSingleStreams(threads: Int) throws {
        let width = 64
        let probes = probes(width: width)
        var streams = try ProbeStreams(ProbeSet(probes), threads: threads)
        var single: [Int: [ProbeStream]] = [:]
        var generator = SeededGenerator(seed: 1)
        for step in 0..<30 {
            for id in step * 10..<step * 10 + 10 {
                try streams.open(id)
                single[id] = try probes.map { try ProbeStream($0) }
            }
            let chosen = Array(
                single.keys.sorted().shuffled(using: &generator).prefix(
                    Int.random(in: 1...90, using: &generator)))
            let tokens = (0..<chosen.count * width).map { _ in generator.normal() }
            let mask = chosen.map { _ in Int.random(in: 0..<5, using: &generator) > 0 }
            let logits = try streams.step(chosen, tokens, mask: mask)
            for (i, id) in chosen.enumerated() {
                for p in probes.indices {
                    try single[id]![p].append(Array(tokens[i * width..<(i + 1) * width]), mask: [mask[i]])
                }
            }
            for p in probes.indices {
                let found = chosen.indices.map {
                    logits[p][row: $0].contains { $0.isNaN } ? nil : Array(logits[p][row: $0])
                }
                let expected = chosen.map { single[$0]![p].logits }
                #expect(relativeError(found, expected) < 1e-5, "\(probes[p].configuration)")
            }
            for id in single.keys.sorted().prefix(4) {
                let last = single.removeValue(forKey: id)!
                if id % 2 == 0 {
                    streams.forget(id)
                } else {
                    let closed = try streams.close(id)
                    #expect(
                        closed.map(\.count) == last.map(\.count) && closed.map(\.seen) == last.map(\.seen))
                }
            }
            #expect(streams.count == single.count && Set(streams.ids) == Set(single.keys))
        }
    }

    @Test func aTextGoesOnWhereItWas() throws {
        let probes = [
            Probe.random(.attention(heads: 3), width: 8, outputs: 1, seed: 1),
            Probe.random(.mean, width: 8, outputs: 1, seed: 2),
        ]
        var streams = try ProbeStreams(ProbeSet(probes))
        try streams.open(5)
        let tokens = randomFloats(16, seed: 3)
        _ = try streams.step([5], Array(tokens[..<8]))
        let bytes = try streams.close(5).map(\.bytes)
        #expect(!streams.isOpen(5))
        try streams.open(6, from: zip(bytes, probes).map { try ProbeStream(bytes: $0, probe: $1) })
        let logits = try streams.step([6], Array(tokens[8...]))
        for (p, probe) in probes.enumerated() {
            let expected = try probe.scoresOfPrefixes(tokens, lengths: [2])
            #expect(relativeError([Array(logits[p][row: 0])], expected) < 1e-5)
        }
        try expectError("id 7: expected a stream of each of the 2 probes") {
            try streams.open(7, from: [ProbeStream(probes[1]), ProbeStream(probes[0])])
        }
        #expect(!streams.isOpen(7))
    }

    @Test func wrongStepsChangeNothing() throws {
        let probes = probes(width: 40)
        var streams = try ProbeStreams(ProbeSet(probes))
        let ids = Array(0..<1000)
        for id in ids { try streams.open(id) }
        _ = try streams.step(ids, randomFloats(1000 * 40, seed: 1))
        func all() throws -> [[[UInt8]]] {
            try [0, 1, 499, 998, 999].map { try streams.streams($0).map(\.bytes) }
        }
        let before = try all()
        let good = randomFloats(1000 * 40, seed: 2)

        try expectError("id 3: expected an id that is not open") { try streams.open(3) }
        try expectError("id 1000: expected the id of an open stream") { try streams.close(1000) }
        try expectError("id -1: expected the id of an open stream") {
            _ = try streams.step([0, -1], Array(good[..<80]))
        }
        try expectError("id 7: expected an id once in a step, found it twice") {
            _ = try streams.step([7, 8, 7], Array(good[..<120]))
        }
        try expectError("expected hidden states of 2×40 numbers, found 79") {
            _ = try streams.step([1, 2], Array(good[..<79]))
        }
        try expectError("mask: expected 2 values, one a stream, found 1") {
            _ = try streams.step([1, 2], Array(good[..<80]), mask: [true])
        }
        var bad = good
        bad[998 * 40 + 7] = .nan
        try expectError("row 998, id 998, dimension 7: expected a finite number, found nan") {
            _ = try streams.step(ids, bad)
        }
        #expect(try all() == before && streams.count == 1000)
        // Where the probes may not look it does not matter.
        _ = try streams.step(ids, bad, mask: ids.map { $0 != 998 })
        #expect(try streams.streams(998)[0].count == 2 && streams.streams(998)[0].seen == 1)
    }
}
