import AttentionProbes
@testable import Probes
import Foundation
import TestSupport
import Testing

@Suite("Ensembles")
struct EnsembleTests {
    private let width = 6
    private let lengths = [5, 1, 17, 40]

    private func data() throws -> ActivationSet {
        try ActivationSet([
            ActivationFile(
                try RaggedBatch(
                    lengths.enumerated().map { randomFloats($1 * width, seed: UInt64($0)) }, width: width))
        ])
    }

    // y = b + Σ w·(y_i - m)/s in double precision, of the parts' own scores.
    private func expected(_ probe: Probe, _ data: ActivationSet) throws -> [[Double]] {
        let (parts, outputs) = (probe.parts, probe.task.outputs)
        let values = ["weights", "shifts", "scales", "bias"].map { probe.tensor($0)!.map(Double.init) }
        let scores = try parts.map { try $0.scores(data).logits }
        return data.indices.map { row in
            (0..<outputs).map { o in
                parts.indices.reduce(values[3][o]) { sum, i in
                    let place = i * outputs + o
                    return sum + values[0][i] * (Double(scores[i][row, o]) - values[1][place])
                        / values[2][place]
                }
            }
        }
    }

    @Test(arguments: ensembles, [1, 3])
    func outputsAreThoseOfThePartsAddedUp(configuration: ProbeConfiguration, outputs: Int) throws {
        let data = try data()
        let probe = Probe.random(configuration, width: width, outputs: outputs, seed: 3)
        let (found, expected) = (try probe.scores(data).logits, try expected(probe, data))
        let largest = expected.joined().reduce(0) { max($0, abs($1)) }
        for row in data.indices {
            for o in 0..<outputs {
                #expect(abs(Double(found[row, o]) - expected[row][o]) <= 1e-5 * largest)
            }
        }
        // The order of tokens does not matter to what is alone and what is beside others.
        let beside = try ProbeSet([
            Probe.random(.attention(heads: 3), width: width, outputs: 1, seed: 1), probe,
        ])
        .scores(data)[1].logits
        for (a, b) in zip(found.storage, beside.storage) { #expect(abs(a - b) <= 1e-5 * Float(largest)) }
    }

    @Test(arguments: ensembles)
    func attentionIsThatOfThePartsThatAttend(configuration: ProbeConfiguration) throws {
        let data = try data()
        let probe = Probe.random(configuration, width: width, outputs: 1, seed: 4)
        let attending = probe.parts.filter(\.configuration.attends)
        for index in data.indices {
            let rows = try attending.flatMap { try $0.attention(data, sequence: index)!.weights.storage }
            let found = try probe.attention(data, sequence: index)?.weights
            #expect(found?.storage.count ?? 0 == rows.count)
            for (a, b) in zip(found?.storage ?? [], rows) { #expect(abs(a - b) <= 1e-5) }
        }
        #expect(try (probe.attentionSummary(data) == nil) == attending.isEmpty)
        let entropies = try attending.flatMap { try $0.scores(data).entropies.map { [$0] } ?? [] }
        guard probe.hasEntropies else { return }
        let found = try #require(try probe.scores(data).entropies)
        #expect(
            found.columns == entropies.reduce(0) { $0 + $1.columns }
                && found.columns == probe.configuration.heads)
        for row in data.indices {
            for (a, b) in zip(found[row: row], entropies.flatMap { Array($0[row: row]) }) {
                #expect(abs(a - b) <= 1e-5)
            }
        }
    }

    @Test func contributionsOfPartsThatAttendAddUp() throws {
        let data = try data()
        let probe = Probe.random(ensembles[0], width: width, outputs: 2, seed: 5)
        let zeros = Probe.ensemble(
            probe.parts, weights: probe.tensor("weights")!, shifts: [[0, 0], [0, 0]],
            scales: [[1, 2], [3, 4]], bias: [0, 0])
        // A hidden layer has a bias of its own.
        let bias = zip(probe.tensor("parts.1.o.bias")!, [3, 4] as [Float]).map {
            zeros.partWeights[1] * $0 / $1
        }
        let logits = try zeros.scores(data).logits
        for index in data.indices {
            let parts = try #require(try zeros.tokenContributions(data, sequence: index, outputs: [0, 1]))
            for o in 0..<2 {
                #expect(parts[o].rows == 5)
                #expect(abs(parts[o].storage.reduce(0, +) + bias[o] - logits[index, o]) <= 1e-5)
            }
        }
    }

    @Test func scoresOfTokensAreThoseOfOtherPartsWhereNoneAttends() throws {
        let data = try data()
        let probe = Probe.random(ensembles[2], width: width, outputs: 1, seed: 6)
        let found = try #require(try probe.tokenContributions(data, sequence: 2, outputs: [0]))[0]
        #expect(found.rows == 2 + 2 + 1 && probe.configuration.heads == 5)
        let own = try #require(try probe.parts[3].tokenContributions(data, sequence: 2, outputs: [0]))[0]
        let factor = probe.partWeights[3] / probe.tensor("scales")![3]
        for j in 0..<found.columns { #expect(abs(found[4, j] - own[0, j] * factor) <= 1e-6) }
    }

    @Test(arguments: [
        ProbeTask.binary(classes: ["a", "b"]), .multiclass(classes: ["a", "b", "c"]),
        .multilabel(classes: ["x", "y"]), .regression(outputs: 2),
    ])
    func whatIsWrittenIsRead(task: ProbeTask) throws {
        func part(_ configuration: ProbeConfiguration, _ seed: UInt64, _ record: TrainingRecord) -> Probe {
            let count = configuration.architecture(width: width, outputs: task.outputs).tensors.parameterCount
            return Probe(
                configuration, width: width, task: task, parameters: randomFloats(count, seed: seed),
                training: record)
        }
        let parts = [
            part(.attention(heads: 2), 1, ["seed": "1", "l2": "0.1"]),
            part(ProbeConfiguration(.topk, k: 3), 2, ["seed": "1", "l2": "0.2", "epochs": "9"]),
        ]
        let outputs = task.outputs
        let probe = Probe.ensemble(
            parts, weights: [0.75, 0.5],
            shifts: [randomFloats(outputs, seed: 3), randomFloats(outputs, seed: 4)],
            scales: [Array(repeating: 2, count: outputs), Array(repeating: 3, count: outputs)],
            bias: randomFloats(outputs, seed: 5))
        let folder = try TemporaryFolder()
        try probe.write(to: folder("probe"))
        let read = try Probe(path: folder("probe"))
        #expect(read.configuration == probe.configuration && read.parameters == probe.parameters)
        #expect(read.task == task && read.training == probe.training && read.training["seed"] == "1")
        #expect(read.partWeights == [0.75, 0.5])
        for (a, b) in zip(read.parts, parts) {
            #expect(
                a.configuration == b.configuration && a.parameters == b.parameters && a.training == b.training
            )
        }
        let file = try Safetensors.open(path: folder("probe"))
        #expect(file.metadata["kind"] == "ensemble" && file.metadata["heads"] == "2")
        #expect(
            file.tensors["parts.0.q.weight"]?.shape == [2, width]
                && file.tensors["scales"]?.shape == [2, outputs])
        #expect(probe.rowsPerToken == (outputs == 1 ? 4 : 4) + outputs)
    }

    private func read(
        parts: String, scales: [Float] = [1], leavingOut missing: String = ""
    ) throws -> Probe {
        let folder = try TemporaryFolder()
        var writer = SafetensorsWriter(metadata: [
            "format": "attention-probes/probe", "version": "1", "kind": "ensemble", "attention": "softmax",
            "heads": "1", "outputs": "1", "hidden": "0", "task": "binary", "classes": #"["no","yes"]"#,
            "threshold": "0.5", "parts": parts,
        ])
        let tensors: [(String, [Int], [Float])] = [
            ("parts.0.v.weight", [1, 2], [1, 2]), ("weights", [1], [2]), ("shifts", [1, 1], [1]),
            ("scales", [1, 1], scales), ("bias", [1], [10]),
        ]
        for (name, shape, values) in tensors where name != missing { writer.add(name, values, shape: shape) }
        try writer.write(to: folder("probe"))
        return try Probe(path: folder("probe"))
    }

    private static let mean = #"[{"attention":"softmax","heads":"1","hidden":"0","kind":"mean"}]"#

    @Test func theLeastFileScores() throws {
        let set = try ActivationSet([ActivationFile(try RaggedBatch([[1, 1, 3, 3]], width: 2))])
        // The mean is (2, 2), its output 6, and 10 + 2·(6 - 1)/4.
        #expect(try read(parts: Self.mean, scales: [4]).scores(set).logits.storage == [12.5])
    }

    @Test func badFilesAreRefused() {
        for (parts, says) in [
            ("", "metadata parts: expected a JSON list with an object of texts for each part"),
            ("[]", "at least one, found []"),
            (#"[{"kind":"ensemble"}]"#, "metadata parts, 0: kind: expected attention, "),
            (#"[{"kind":"mean","attention":"softmax","hidden":"0"}]"#, "metadata parts, 0: heads: expected"),
        ] {
            expectSentence(says) { try read(parts: parts) }
        }
        expectSentence("tensor scales, element 0: expected a number above 0, found 0.0") {
            try read(parts: Self.mean, scales: [0])
        }
        expectSentence("tensor weights") { try read(parts: Self.mean, leavingOut: "weights") }
    }
}

private func expectSentence(_ words: String, _ body: () throws -> Probe) {
    let error = #expect(throws: DataError.self) { _ = try body() }
    #expect(error.map { "\($0)".contains(words) } ?? false, "\(error.map { "\($0)" } ?? "no error")")
}
