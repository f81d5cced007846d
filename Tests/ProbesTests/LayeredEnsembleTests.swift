@testable import Activations
import AttentionProbes
import Foundation
@testable import Probes
import TestSupport
import Testing

@Suite("Ensembles across layers")
struct LayeredEnsembleTests {
    private let width = 5
    private let lengths = [4, 1, 19, 33]
    private let parts: [ProbeConfiguration] = [
        .attention(heads: 2), .mean, ProbeConfiguration(.mlpAttention, heads: 2, units: 4),
        .attention(heads: 3, hidden: 4), .last,
    ]
    // The second layer has two parts.
    private let layers = [0, 1, 1, 2, 3]

    // States of four layers side by side, which metadata would call 2, 5, 7 and 9.
    private func data() throws -> ActivationSet {
        let batch = try RaggedBatch(
            lengths.enumerated().map { randomFloats($1 * width * 4, seed: UInt64($0)) }, width: width * 4)
        return try ActivationSet([
            ActivationFile(
                ActivationFile(batch), tokens: batch.tokens,
                layers: LayerRecord([2, 5, 7, 9], areAsStored: false))
        ])
    }

    private func layer(_ place: Int, of data: ActivationSet) throws -> ActivationSet {
        try #require(data.taking(LayerRecord([[2, 5, 7, 9][place]], areAsStored: false)))
    }

    private func probes(outputs: Int) -> [Probe] {
        parts.enumerated().map {
            Probe.random($1, width: width, outputs: outputs, seed: UInt64($0))
        }
    }

    private func ensemble(_ probes: [Probe]) -> Probe {
        let outputs = probes[0].task.outputs
        return Probe.ensemble(
            probes, weights: [0.5, 1, 0.25, 2, 0.75],
            shifts: probes.indices.map { randomFloats(outputs, seed: 50 + UInt64($0)) },
            scales: probes.indices.map { i in (0..<outputs).map { Float(1 + i + $0) } },
            bias: randomFloats(outputs, seed: 60), layers: layers)
    }

    @Test(arguments: [1, 3])
    func everyPartReadsItsLayer(outputs: Int) throws {
        let (data, probes) = (try data(), probes(outputs: outputs))
        let probe = ensemble(probes)
        #expect(probe.width == 4 * width)
        let own = try zip(probes, layers).map { try $0.scores(layer($1, of: data)).logits }
        let (weights, shifts, scales, bias) = (
            probe.tensor("weights")!, probe.tensor("shifts")!, probe.tensor("scales")!, probe.tensor("bias")!
        )
        // Beside another probe of the whole state, whose products have the same place.
        let beside = ProbeSet([
            Probe.random(.attention(heads: 3), width: 4 * width, outputs: 1, seed: 1), probe,
        ])
        for found in [try probe.scores(data).logits, try beside.scores(data, threads: 2)[1].logits] {
            for row in data.indices {
                for o in 0..<outputs {
                    let expected = probes.indices.reduce(Double(bias[o])) { sum, i in
                        let place = i * outputs + o
                        return sum + Double(weights[i])
                            * (Double(own[i][row, o]) - Double(shifts[place])) / Double(scales[place])
                    }
                    #expect(abs(Double(found[row, o]) - expected) <= 2e-5)
                }
            }
        }
    }

    @Test func attentionAndContributionsAreThoseOfTheParts() throws {
        let (data, probes) = (try data(), probes(outputs: 1))
        let probe = ensemble(probes)
        for index in data.indices {
            let expected = try [0, 2, 3].flatMap { i in
                try probes[i].attention(layer(layers[i], of: data), sequence: index)!.weights.storage
            }
            let found = try #require(try probe.attention(data, sequence: index)).weights
            for (a, b) in zip(found.storage, expected) { #expect(abs(a - b) <= 1e-6) }
            let sums = try #require(try probe.tokenContributions(data, sequence: index, outputs: [0]))[0]
            let own = try probes[0].tokenContributions(layer(0, of: data), sequence: index, outputs: [0])![0]
            for j in 0..<own.columns { #expect(abs(sums[0, j] - 0.5 * own[0, j]) <= 1e-6) }
        }
    }

    @Test func prefixesHaveTheScoresOfTextsOfTheirOwn() throws {
        let (data, probe) = (try data(), ensemble(probes(outputs: 1)))
        let sequence = try probe.prefixProbabilities(data, sequence: 2)!
        for length in [1, 2, 7, 19] {
            let tokens = randomFloats(19 * width * 4, seed: 2).prefix(length * width * 4)
            let text = try ActivationSet([
                ActivationFile(try RaggedBatch([Array(tokens)], width: width * 4))
            ])
            let expected = try probe.probabilities(probe.scores(text).logits[row: 0])[0]
            #expect(abs(sequence[length - 1] - expected) <= 1e-5)
        }
    }

    @Test func whatIsWrittenIsRead() throws {
        let (folder, probe) = (try TemporaryFolder(), ensemble(probes(outputs: 2)))
        try probe.write(to: folder("probe"))
        let read = try Probe(path: folder("probe"))
        #expect(read.configuration == probe.configuration && read.parameters == probe.parameters)
        #expect(read.width == 20 && read.configuration.partLayers == layers)
        for (a, b) in zip(read.parts, probes(outputs: 2)) {
            #expect(a.configuration == b.configuration && a.parameters == b.parameters && a.width == width)
        }
        let metadata = try TensorFile(path: folder("probe")).metadata
        #expect(metadata["version"] == "2" && metadata["part_layers"] == "[0, 1, 1, 2, 3]")
    }

    @Test(arguments: ["[0, 1]", "[0, 2, 2, 3, 4]", "[1, 1, 1, 2, 3]", "[0, 1, 0, 1, 2]", "x"])
    func layersThatPartsCannotHaveAreRefused(text: String) throws {
        let folder = try TemporaryFolder()
        try ensemble(probes(outputs: 1)).write(to: folder("probe"))
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: folder("probe"))))
        let good = Array("[0, 1, 1, 2, 3]".utf8)
        let start = try #require(bytes.indices.first { bytes[$0...].starts(with: good) })
        var changed = bytes
        changed.replaceSubrange(
            start..<start + good.count,
            with: Array(text.utf8) + Array(repeating: 0x20, count: good.count - text.utf8.count))
        _ = try folder.write(changed, to: "changed")
        #expect {
            try Probe(path: folder("changed"))
        } throws: {
            "\($0)".contains("metadata part_layers: expected a JSON list of 5 layers")
        }
    }

    // Where a state of a layer that only one part reads is no number, the sequence is refused.
    @Test func notFiniteStatesOfAnyLayerAreRefused() throws {
        let probe = ensemble(probes(outputs: 1))
        for place in 0..<4 {
            var tokens = randomFloats(3 * width * 4, seed: 1)
            tokens[width * 4 + place * width] = .infinity
            let data = try ActivationSet([ActivationFile(try RaggedBatch([tokens], width: width * 4))])
            #expect(throws: DataError.self) { try probe.scores(data) }
        }
    }

    @Test func probesOfSeveralLayersScoreInOnePass() throws {
        let data = try data()
        func trained(_ probe: Probe, _ numbers: [Int]) -> Probe {
            probe.deployed(
                threshold: 0.5, calibration: nil,
                noting: TrainingRecord(LayerRecord(numbers, areAsStored: false).metadata))
        }
        let all = [
            trained(Probe.random(.attention(heads: 4), width: width, outputs: 1, seed: 1), [7]),
            trained(Probe.random(.mean, width: width, outputs: 2, seed: 2), [2]),
            trained(Probe.random(.attention(heads: 3), width: width, outputs: 1, seed: 3), [7]),
            trained(Probe.random(.attention(heads: 5), width: 2 * width, outputs: 1, seed: 4), [9, 2]),
            trained(ensemble(probes(outputs: 1)), [2, 5, 7, 9]),
        ]
        let set = try ProbeSet(all, names: ["a", "b", "c", "d", "e"], over: data)
        let found = try set.scores(data, threads: 2)
        for (probe, scores) in zip(all, found) {
            let own = try #require(data.taking(probe.training.layers!))
            let expected = try probe.scores(own)
            for (a, b) in zip(scores.logits.storage, expected.logits.storage) { #expect(abs(a - b) <= 1e-5) }
            #expect((scores.entropies?.columns ?? 0) == (expected.entropies?.columns ?? 0))
        }
        let other = trained(Probe.random(.mean, width: width + 1, outputs: 1, seed: 1), [5])
        #expect {
            try ProbeSet([all[0], other], names: ["a", "b"], over: data)
        } throws: {
            "\($0)".hasPrefix("b: tensor v.weight: expected the width of layer 5 in")
        }
    }
}
