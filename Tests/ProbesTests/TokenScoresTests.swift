import AttentionProbes
@testable import Probes
import TestSupport
import Testing

@Suite("Scores, attention and contributions of every token")
struct TokenScoresTests {
    private func maskedSet(width: Int, lengths: [Int]) throws -> ActivationSet {
        let batch = try randomBatch(lengths: lengths, width: width, seed: 3)
        var generator = SeededGenerator(seed: 4)
        var mask = (0..<batch.tokens.rows).map { _ in Int.random(in: 0..<3, using: &generator) > 0 }
        for i in lengths.indices { mask[batch.offsets[i + 1] - 1] = true }
        mask[0] = lengths[0] == 1
        return try ActivationSet([
            ActivationFile(RaggedBatch(tokens: batch.tokens, offsets: batch.offsets, tokenMask: mask))
        ])
    }

    @Test(arguments: streamedConfigurations, [1, 3])
    func areThoseOfTheWholeSequence(configuration: ProbeConfiguration, outputs: Int) throws {
        let probe = Probe.random(configuration, width: 24, outputs: outputs, seed: 1)
        let data = try maskedSet(width: 24, lengths: [1, 2, 700, 31])
        let whole = try probe.scores(data).logits
        let own = probe.task.outputs
        for index in data.indices {
            let scores = try probe.tokenScores(data, sequence: index)
            let (length, sequence) = (data.length(index), data[index])
            #expect(scores.prefixLogits.rows == length && scores.prefixLogits.columns == own)
            var stream = try ProbeStream(probe)
            for position in 0..<length {
                let isSeen = (0..<sequence.count).contains { sequence.position($0) == position }
                var token = [Float](repeating: 0, count: 24)
                let row = sequence.rows.lowerBound + position
                var span = token.mutableSpan
                sequence.tokens.copyRow(row, into: &span)
                try stream.append(token, mask: [isSeen])
                let found = Array(scores.prefixLogits[row: position])
                if let logits = stream.logits {
                    #expect(zip(found, logits).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) })
                } else {
                    #expect(found.allSatisfy { $0.isNaN })
                }
            }
            #expect(
                relativeError(Array(scores.prefixLogits[row: length - 1]), Array(whole[row: index])) < 1e-5)

            guard let attention = try probe.attention(data, sequence: index) else {
                #expect(scores.attention == nil && scores.contributions == nil)
                continue
            }
            let heads = attention.weights.rows
            let parts = try #require(
                try probe.tokenContributions(data, sequence: index, outputs: Array(0..<own)))
            var (expected, added) = (
                Matrix(rows: length, columns: heads), Matrix(rows: length, columns: heads * own)
            )
            for (j, position) in attention.positions.enumerated() {
                for h in 0..<heads {
                    expected[position, h] = attention.weights[h, j]
                    for o in 0..<own { added[position, h * own + o] = parts[o][h, j] }
                }
            }
            let found = try #require(scores.attention)
            #expect(relativeError(found.storage, expected.storage) < 1e-5, "\(configuration)")
            #expect(
                relativeError(try #require(scores.contributions).storage, added.storage) < 1e-5,
                "\(configuration)")
        }
    }

    // Without masks tiles are taken as a whole, with logits that stay and ones that rise and fall all the time.
    @Test(
        arguments: [1, 3],
        [("q.weight", 1), ("q.weight", 3000), ("position_weight", 0.02), ("position_weight", 60)]
            as [(String, Float)])
    func wholeTilesAreThoseOfTheStream(outputs: Int, scaling: (String, Float)) throws {
        let lengths = [1, 700, 200]
        for configuration in [ProbeConfiguration.attention(heads: 1), .attention(heads: 5)] {
            let probes = (0..<2).map {
                Probe.random(
                    configuration, width: 24, outputs: outputs, seed: $0, scaling: [scaling.0: scaling.1])
            }
            let data = try ActivationSet([ActivationFile(randomBatch(lengths: lengths, width: 24, seed: 3))])
            let scorer = try TokenScorer(probes)
            var work = TokenScorer.Workspace()
            for index in data.indices {
                let all = try scorer.scores(data, index, &work)
                for (probe, scores) in zip(probes, all) {
                    var stream = try ProbeStream(probe)
                    var expected: [Float] = []
                    var token = [Float](repeating: 0, count: 24)
                    for row in data[index].rows {
                        var span = token.mutableSpan
                        data[index].tokens.copyRow(row, into: &span)
                        try stream.append(token)
                        expected += try #require(stream.logits)
                    }
                    #expect(relativeError(scores.prefixLogits.storage, expected) < 1e-6)
                    let attention = try #require(try probe.attention(data, sequence: index)).weights
                    let found = try #require(scores.attention)
                    for h in 0..<attention.rows {
                        let column = (0..<lengths[index]).map { found[$0, h] }
                        #expect(relativeError(column, Array(attention[row: h])) < 1e-5)
                    }
                    let parts = try #require(
                        try probe.tokenContributions(data, sequence: index, outputs: [outputs - 1]))
                    let own = try #require(scores.contributions), heads = attention.rows
                    for h in 0..<heads {
                        let column = (0..<lengths[index]).map { own[$0, h * outputs + outputs - 1] }
                        #expect(relativeError(column, Array(parts[0][row: h])) < 1e-5)
                    }
                }
            }
        }
    }

    // Products that do not stay in memory between the walks are taken again.
    @Test func longSequencesHaveTheSameBits() throws {
        let probes = [
            Probe.random(.attention(heads: 3), width: 24, outputs: 2, seed: 1),
            Probe.random(.mean, width: 24, outputs: 1, seed: 2),
            Probe.random(
                ProbeConfiguration(.mlpAttention, heads: 2, units: 5), width: 24, outputs: 1, seed: 3),
        ]
        let data = try maskedSet(width: 24, lengths: [3, 900])
        let (kept, anew) = (try TokenScorer(probes), try TokenScorer(probes, mostKept: 0))
        for index in data.indices {
            var (first, second) = (TokenScorer.Workspace(), TokenScorer.Workspace())
            let (one, other) = (try kept.scores(data, index, &first), try anew.scores(data, index, &second))
            for (a, b) in zip(one, other) {
                #expect(a.prefixLogits.storage.map(\.bitPattern) == b.prefixLogits.storage.map(\.bitPattern))
                #expect(a.attention == b.attention && a.contributions == b.contributions)
            }
            #expect(one[1].attention == nil && one[0].attention?.columns == 3)
            // Beside others as alone.
            for (probe, scores) in zip(probes, one) {
                let alone = try probe.tokenScores(data, sequence: index)
                let visible = alone.prefixLogits.storage.map { $0.isNaN ? 0 : $0 }
                #expect(relativeError(scores.prefixLogits.storage.map { $0.isNaN ? 0 : $0 }, visible) < 1e-5)
            }
        }
        #expect(second(anew, data) < 1000)
    }

    // Numbers of products in memory after a long sequence.
    private func second(_ scorer: TokenScorer, _ data: ActivationSet) -> Int {
        var work = TokenScorer.Workspace()
        _ = try? scorer.scores(data, 1, &work)
        return work.products.count / scorer.pass.rowCount
    }

    @Test func tokensThatAreNotFiniteAreNamed() throws {
        var tokens = randomFloats(50 * 6, seed: 1)
        tokens[41 * 6 + 2] = .infinity
        let data = try ActivationSet([
            ActivationFile(RaggedBatch([Array(tokens[..<60]), Array(tokens[60...])], width: 6), name: "mine")
        ])
        for configuration in streamedConfigurations {
            let probe = Probe.random(configuration, width: 6, outputs: 1, seed: 1)
            _ = try probe.tokenScores(data, sequence: 0)
            let error = try #require(throws: DataError.self) { try probe.tokenScores(data, sequence: 1) }
            #expect(
                error.description
                    == "mine: tensor hidden_states, sequence 1, token 31, dimension 2: expected a finite number, found inf"
            )
        }
    }
}
