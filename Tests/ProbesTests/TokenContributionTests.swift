import AttentionProbes
import TestSupport
import Testing

@Suite("What tokens add to an output")
struct TokenContributionTests {
    private func probe(_ configuration: ProbeConfiguration, classes: Int = 3) -> Probe {
        let task = ProbeTask.multiclass(classes: (0..<classes).map(String.init))
        let count = configuration.architecture(width: 16, outputs: classes).tensors.parameterCount
        return Probe(
            configuration, width: 16, task: task, parameters: randomFloats(count, seed: 5, scale: 0.3))
    }

    /// All contributions, and with a hidden layer the output's bias, are the output.
    @Test(arguments: [
        ProbeConfiguration.attention(heads: 3), .attention(heads: 2, hidden: 7), .attention(heads: 4, .tanh),
        .attention(heads: 2, hidden: 3, .tanh),
        // Values on fewer, as many and more units than the width of 16.
        ProbeConfiguration(.mlpAttention, heads: 3, units: 5), ProbeConfiguration(.mlpAttention, units: 16),
        ProbeConfiguration(.mlpAttention, heads: 2, units: 40),
        // Kinds without a hidden layer have none, whatever their configuration says.
        ProbeConfiguration(.mlpAttention, heads: 2, hidden: 6, units: 7),
    ])
    func contributionsAddUp(configuration: ProbeConfiguration) throws {
        let data = try hidingTokens(needleSet(count: 6))
        let probe = probe(configuration)
        let scores = try probe.scores(data)
        for index in data.indices {
            let parts = try #require(try probe.tokenContributions(data, sequence: index, outputs: [2, 0]))
            #expect(parts.count == 2 && parts[0].rows == configuration.heads)
            #expect(parts[0].columns == data[index].count)
            for (part, o) in zip(parts, [2, 0]) {
                let sum = part.storage.reduce(0.0) { $0 + Double($1) }
                let bias = probe.tensor("o.bias").map { Double($0[o]) } ?? 0
                #expect(abs(sum + bias - Double(scores.logits[index, o])) < 1e-4)
            }
        }
    }

    /// An average has the heads of all, with all that each of them adds.
    @Test(arguments: [ProbeConfiguration.attention(heads: 2), ProbeConfiguration(.multimax, heads: 2)])
    func contributionsOfAnAverage(configuration: ProbeConfiguration) throws {
        let data = try needleSet(count: 3)
        let probe = probe(configuration)
        let average = Probe.average([probe, probe, probe])
        let single = try #require(try probe.tokenContributions(data, sequence: 1, outputs: [2]))[0]
        let all = try #require(try average.tokenContributions(data, sequence: 1, outputs: [2]))[0]
        #expect(all.rows == 6 && all.columns == single.columns)
        for h in 0..<6 {
            for (a, b) in zip(all[row: h], single[row: h % 2]) { #expect(abs(3 * a - b) < 1e-5) }
        }
    }

    // The same with every third token out of sight.
    private func hidingTokens(_ data: ActivationSet) throws -> ActivationSet {
        let batch = data.files[0].batch
        let mask = (0..<batch.tokens.rows).map { $0 % 3 != 1 }
        return try ActivationSet([
            ActivationFile(
                RaggedBatch(tokens: batch.tokens, offsets: batch.offsets, tokenMask: mask),
                targets: data.targets)
        ])
    }

    /// What other kinds pool, pooled here, is their output.
    @Test func scoresArePooled() throws {
        let data = try needleSet(count: 4)
        let poolings: [(ProbeConfiguration, (ArraySlice<Float>) -> Float)] = [
            (.mean, { $0.reduce(0, +) / Float($0.count) }), (.last, { $0.last! }),
            (ProbeConfiguration(.max), { $0.max()! }),
            (ProbeConfiguration(.multimax, heads: 2), { $0.max()! }),
            (ProbeConfiguration(.multimax, heads: 2, units: 5), { $0.max()! }),
        ]
        for (configuration, pool) in poolings {
            let probe = probe(configuration)
            let scores = try probe.scores(data)
            for index in data.indices {
                let values = try #require(try probe.tokenContributions(data, sequence: index, outputs: [1]))[
                    0]
                let output = (0..<values.rows).reduce(Float(0)) { $0 + pool(values[row: $1]) }
                #expect(abs(output - scores.logits[index, 1]) < 1e-4, "\(configuration.kind)")
            }
        }
        #expect(
            try probe(ProbeConfiguration(.absmax)).tokenContributions(data, sequence: 0, outputs: [0]) == nil)
        for kind in ProbeKind.allCases where kind.tokenQuantity != .none {
            let classes = 2
            let values = try probe(ProbeConfiguration(kind), classes: classes)
                .tokenContributions(data, sequence: 0, outputs: [1])
            #expect(values?[0].columns == data[0].count, "\(kind)")
        }
    }

    @Test func attentionAlongASequence() throws {
        let data = try needleSet(count: 40)
        // Queries of zero look everywhere alike; a large position weight at the last token.
        let configuration = ProbeConfiguration.attention(heads: 2)
        let architecture = configuration.architecture(width: 16, outputs: 1)
        var parameters = [Float](repeating: 0, count: architecture.tensors.parameterCount)
        parameters[try #require(architecture.tensors.range(of: "position_weight")).upperBound - 1] = 50
        let probe = Probe(
            configuration, width: 16, task: .binary(classes: ["a", "b"]), parameters: parameters)
        let summary = try #require(try probe.attentionSummary(data))
        #expect(summary.byPosition[row: 0].allSatisfy { abs($0 - 1) < 1e-3 })
        let last = summary.byPosition[row: 1]
        #expect(abs(last.reduce(0, +) - 20) < 1e-2 && last.last! > 10 && last.first! < 1e-6)
        #expect(summary.tokens.isEmpty, "there are no texts and no ids")
        #expect(try self.probe(.mean).attentionSummary(data) == nil)
        let layered = try #require(
            try self.probe(ProbeConfiguration(.mlpAttention, heads: 3, units: 5)).attentionSummary(data))
        for h in 0..<3 { #expect(abs(layered.byPosition[row: h].reduce(0, +) - 20) < 1e-2) }
    }

    /// Token 7 occurs once and receives all attention of its sequence, 9 ends the others; 1 is everywhere.
    @Test func rareTokensAreNotNamed() throws {
        let ids = (0..<6).flatMap { [1, 1, 1, $0 == 0 ? 7 : 9] }
        let folder = try TemporaryFolder()
        let file = LiteralActivations()
            .with("hidden_states", "F32", [24, 1], ids.flatMap { floatBytes($0 == 1 ? 0 : 1) })
            .with("offsets", "I64", [7], (0...6).flatMap { integerBytes(4 * $0) })
            .with("labels", "I64", [6], (0..<6).flatMap { integerBytes($0 % 2) })
            .with("token_ids", "I64", [24], ids.flatMap { integerBytes($0) })
        let path = try folder.write(file.file, to: "data.safetensors")
        let data = try ActivationSet(paths: [path])
        let configuration = ProbeConfiguration.attention(heads: 1)
        let architecture = configuration.architecture(width: 1, outputs: 1)
        var parameters = [Float](repeating: 0, count: architecture.tensors.parameterCount)
        parameters[try #require(architecture.tensors.range(of: "q.weight")).lowerBound] = 50
        let probe = Probe(
            configuration, width: 1, task: .binary(classes: ["a", "b"]), parameters: parameters)
        let summary = try #require(try probe.attentionSummary(data))
        #expect(summary.leastCount == 5 && summary.differentTokens == 3)
        #expect(summary.tokens.map(\.text) == ["#9", "#1"])
        #expect(summary.tokens.map(\.count) == [5, 18])
    }
}
