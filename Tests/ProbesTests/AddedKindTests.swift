import AttentionProbes
import TestSupport
import Testing

// A kind that the library does not have, with a hyperparameter of its own as kinds in the package may: the mean of a
// fraction ρ of the scores, the largest ones.

extension Hyperparameter {
    fileprivate static let fraction = Hyperparameter(
        "fraction", atMost: 1, help: "Fraction of the scores that KINDS averages.",
        label: { "fraction \($0)" })
}

extension ProbeKind {
    fileprivate static let topFraction = ProbeKind(
        "top-fraction", [.fraction: 0.25], scores: { FractionPooling(fraction: $0[.fraction]) })
}

private struct FractionPooling: ScorePooling {
    let fraction: Float

    func pool(_ z: Span<Float>) -> Float {
        let largest = largest(z)
        return largest.reduce(0) { $0 + z[$1] } / Float(largest.count)
    }

    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
        for j in dz.indices { dz[j] = 0 }
        let largest = largest(z)
        for j in largest { dz[j] = g / Float(largest.count) }
    }

    private func largest(_ z: Span<Float>) -> ArraySlice<Int> {
        var order = Array(z.indices)
        order.sort { z[$0] > z[$1] }
        return order.prefix(max(1, Int(fraction * Float(z.count))))
    }
}

@Suite("An added kind")
struct AddedKindTests {
    private static let isRegistered: Void = ProbeKind.register(.topFraction)

    init() { Self.isRegistered }

    private var configuration: ProbeConfiguration {
        var configuration = ProbeConfiguration(.topFraction)
        configuration[.fraction] = 0.5
        return configuration
    }

    @Test func isListed() throws {
        #expect(
            ProbeKind.allCases.last == .topFraction && ProbeKind(rawValue: "top-fraction") == .topFraction)
        var grid = CandidateGrid()
        grid.kinds = [.mean, .topFraction]
        let candidates = grid.candidates(for: .binary(classes: ["no", "yes"])) {
            $0.configuration[.fraction] = 0.5
        }
        #expect(candidates.map(\.name) == ["mean", "top-fraction, fraction 0.5"])
        #expect(candidates[1].options.optimizer == .adamw && candidates[1].options.learningRate == 1e-2)
    }

    @Test func isTrainedSavedReadAndScored() throws {
        var options = TrainingOptions.suited(to: .topFraction, .binary(classes: ["no", "yes"]))
        (options.epochs, options.tokenDropout) = (60, 0)
        let probe = try Trainer(configuration, options: options).fit(needleSet(count: 120)).probe
        let folder = try TemporaryFolder()
        try probe.write(to: folder("probe"))
        let read = try Probe(path: folder("probe"))
        #expect(read.configuration == configuration && read.parameters == probe.parameters)
        #expect(read.training == probe.training && read.training["fraction"] == nil)

        let test = try needleSet(count: 100, seed: 2)
        #expect(try #require(read.evaluate(test).auroc) > 0.9)
        // Half of the tokens, those of the largest scores, make the output.
        let scores = try #require(try read.tokenContributions(test, sequence: 0, outputs: [0]))[0].storage
        let largest = scores.sorted(by: >).prefix(scores.count / 2)
        let output = try read.scores(test).logits[0, 0]
        #expect(abs(largest.reduce(0, +) / Float(largest.count) - output) < 1e-4)
        #expect(try ProbeReport(read, test).html.contains("top-fraction"))
    }

    // It has to see all scores.
    @Test func isNotScoredTokenByToken() throws {
        let probe = Probe(
            configuration, width: 1, task: .regression(outputs: 1), parameters: [1, 0])
        let error = try #require(throws: DataError.self) { try ProbeStream(probe) }
        #expect(error.description.contains("scored token by token, found top-fraction"))
    }

    // The fraction of tokens whose score is positive.
    private struct PositivePooling: PrefixPooling {
        func pool(_ z: Span<Float>) -> Float {
            Float(z.indices.count { z[$0] > 0 }) / Float(z.count)
        }
        func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>) {
            for j in dz.indices { dz[j] = 0 }
        }
        let stateCount = 1
        func begin(_ state: inout MutableSpan<Double>, at start: Int) { state[start] = 0 }
        func advance(_ state: inout MutableSpan<Double>, at start: Int, _ z: Float, seen: Int) {
            if z > 0 { state[start] += 1 }
        }
        func value(_ state: Span<Double>, at start: Int, seen: Int) -> Float {
            Float(state[start]) / Float(seen)
        }
    }

    @Test func canBringItsOwnRule() throws {
        let kind = ProbeKind("positive-fraction", scores: { _ in PositivePooling() })
        let probe = Probe(
            ProbeConfiguration(kind), width: 1, task: .regression(outputs: 1), parameters: [1, 0])
        var stream = try ProbeStream(probe)
        let logits = try ([2, -1, 3] as [Float]).map { z in
            try stream.append([z])
            return stream.logits
        }
        #expect(logits == [[1], [0.5], [2.0 / 3]])
    }

    @Test(arguments: ["0", "1.5", "nan", "half"]) func wrongValuesAreRefused(text: String) throws {
        let folder = try TemporaryFolder()
        let count = configuration.architecture(width: 2, outputs: 1).tensors.parameterCount
        try Probe(
            configuration, width: 2, task: .regression(outputs: 1),
            parameters: Array(repeating: 1, count: count)
        ).write(to: folder("probe"))
        var file = try TensorFile(path: folder("probe")).metadata
        file["fraction"] = text
        var writer = SafetensorsWriter(metadata: file)
        writer.add("v.weight", [1, 1], shape: [1, 2])
        writer.add("v.bias", [1], shape: [1])
        try writer.write(to: folder("changed"))
        let error = try #require(throws: DataError.self) { try Probe(path: folder("changed")) }
        #expect(
            error.place == "metadata fraction" && error.description.contains("a number above 0, at most 1"))
    }
}
