import AttentionProbes
@testable import Probes
import TestSupport
import Testing

@Suite("The same bits, alone or together, on any number of threads")
struct SameBitsTests {
    static let configurations: [ProbeConfiguration] = [
        .attention(heads: 1), .attention(heads: 8), .attention(heads: 3, hidden: 5),
        .attention(heads: 2, .tanh),
        .mean, .last,
    ]

    // With many outputs several sequences meet the value rows together, here in groups of up to ten.
    @Test(arguments: configurations, [1, 3, 12, 40])
    func scores(configuration: ProbeConfiguration, outputs: Int) throws {
        let own = [1, 17, 400, 2, 64, 129, 5]
        let lengths = outputs > 3 ? (0..<42).map { own[$0 % own.count] } : own
        let batch = try randomBatch(lengths: lengths, width: 96, seed: 1)
        let together = try ActivationSet([ActivationFile(batch)])
        let task: ProbeTask =
            outputs == 1
            ? .binary(classes: ["a", "b"]) : .multiclass(classes: (0..<outputs).map(String.init))
        let count = configuration.architecture(width: 96, outputs: outputs).tensors.parameterCount
        let probe = Probe(
            configuration, width: 96, task: task, parameters: randomFloats(count, seed: 2, scale: 0.3))
        let reference = try probe.scores(together, threads: 1).logits
        #expect(try probe.scores(together, threads: 2).logits == reference)
        #expect(try probe.scores(together, threads: 5).logits == reference)
        var chunked: [Float] = []
        try ProbeSet([probe]).forEachScores(together, threads: 2, chunkTokens: 20) {
            chunked += $0[0].logits.storage
        }
        #expect(chunked == reference.storage)
        var scratch: [Float] = []
        for index in lengths.indices {
            let tokens = batch[index].withTokens(0..<lengths[index], scratch: &scratch) { span in
                span.indices.map { span[$0] }
            }
            let alone = try ActivationSet([ActivationFile(RaggedBatch([tokens], width: 96))])
            #expect(try probe.scores(alone).logits.storage == Array(reference[row: index]))
        }
    }

    // Beside others, a probe meets another kernel if it has few rows, and the same if it has many.
    @Test func scoresBesideOtherProbes() throws {
        let batch = try randomBatch(lengths: [1, 17, 400, 2, 64, 129, 5], width: 96, seed: 1)
        let data = try ActivationSet([ActivationFile(batch)])
        let tasks: [ProbeTask] = [
            .binary(classes: ["a", "b"]), .multiclass(classes: ["a", "b", "c"]), .regression(outputs: 12),
        ]
        let probes = Self.configurations.flatMap { configuration in
            tasks.map { task in
                let count = configuration.architecture(width: 96, outputs: task.outputs).tensors
                    .parameterCount
                return Probe(
                    configuration, width: 96, task: task,
                    parameters: randomFloats(count, seed: 2, scale: 0.3))
            }
        }
        let reference = try ProbeSet(probes).scores(data, threads: 1)
        let threaded = try ProbeSet(probes).scores(data, threads: 3)
        for (i, probe) in probes.enumerated() {
            let alone = try probe.scores(data)
            #expect(threaded[i].logits == reference[i].logits)
            #expect(relativeError(reference[i].logits.storage, alone.logits.storage) < 1e-5)
            #expect((reference[i].entropies == nil) == (alone.entropies == nil))
            if probe.configuration == .attention(heads: 8), Projection.Plan.best(rows: 16) == .panels {
                #expect(reference[i].logits == alone.logits && reference[i].entropies == alone.entropies)
            }
        }
    }

    // In place, however they are stored, against the same states as floats.
    @Test(arguments: ElementType.allCases, configurations)
    func storedStates(type: ElementType, configuration: ProbeConfiguration) throws {
        let folder = try TemporaryFolder()
        let batch = try randomBatch(lengths: [1, 17, 400, 2, 64, 129, 5], width: 100, seed: 1)
        try ActivationSet([ActivationFile(batch)]).write(to: folder("stored"), as: type)
        let stored = try ActivationSet(paths: [folder("stored")])
        try stored.write(to: folder("floats"), as: .f32)
        let floats = try ActivationSet(paths: [folder("floats")])
        #expect(stored.storedType == type && floats.storedType == .f32)
        let count = configuration.architecture(width: 100, outputs: 1).tensors.parameterCount
        let probe = Probe(
            configuration, width: 100, task: .binary(classes: ["a", "b"]),
            parameters: randomFloats(count, seed: 2, scale: 0.3))
        let expected = try probe.scores(floats, threads: 1)
        for threads in [1, 3] {
            let found = try probe.scores(stored, threads: threads)
            #expect(found.logits == expected.logits && found.entropies == expected.entropies)
        }
        for index in stored.indices {
            let found = try probe.tokenScores(stored, sequence: index)
            let expected = try probe.tokenScores(floats, sequence: index)
            #expect(found.prefixLogits == expected.prefixLogits && found.attention == expected.attention)
            #expect(found.contributions == expected.contributions)
        }
    }

    @Test(arguments: [Optimizer.adamw, .lbfgs], [0, 0.25])
    func training(optimizer: Optimizer, validationFraction: Double) throws {
        let data = try needleSet(count: 60)
        func fit(threads: Int, seed: UInt64) throws -> [Float] {
            var options = TrainingOptions(optimizer)
            options.epochs = 5
            options.threads = threads
            options.seed = seed
            options.validationFraction = validationFraction
            return try Trainer(.attention(heads: 2), options: options).fit(data).probe.parameters
        }
        let reference = try fit(threads: 1, seed: 3)
        #expect(try fit(threads: 1, seed: 3) == reference)
        #expect(try fit(threads: 2, seed: 3) == reference)
        #expect(try fit(threads: 2, seed: 4) != reference)
    }
}
