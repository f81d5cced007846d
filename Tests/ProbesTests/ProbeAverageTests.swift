import AttentionProbes
import TestSupport
import Testing

@Suite("Averages of probes")
struct ProbeAverageTests {
    @Test(arguments: [
        ProbeConfiguration.attention(heads: 2), .attention(heads: 2, .tanh),
        ProbeConfiguration(.multimax, heads: 3), ProbeConfiguration(.rollingAttention, heads: 2, window: 3),
    ])
    func outputsAreTheMean(configuration: ProbeConfiguration) throws {
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        let count = configuration.architecture(width: 6, outputs: 3).tensors.parameterCount
        let probes = (0..<4).map { seed in
            Probe(
                configuration, width: 6, task: task,
                parameters: randomFloats(count, seed: UInt64(seed), scale: 0.5))
        }
        let batch = try randomBatch(lengths: [1, 7, 30], width: 6, seed: 9)
        let data = try ActivationSet([ActivationFile(batch)])
        let all = try probes.map { try $0.scores(data).logits.storage }
        let mean = all[0].indices.map { i in all.reduce(Float(0)) { $0 + $1[i] } / 4 }
        let average = Probe.average(probes)
        #expect(average.configuration.heads == 4 * configuration.heads)
        #expect(relativeError(try average.scores(data).logits.storage, mean) < 1e-5)
        #expect(average.training["averaged"] == "4")
    }

    @Test func whatCannotBeAveraged() {
        #expect(!ProbeConfiguration.attention(heads: 2, hidden: 3).canBeAveraged)
        #expect(!ProbeConfiguration(.max).canBeAveraged && !ProbeConfiguration.mean.canBeAveraged)
    }
}
