import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Files that become shorter, and sets without sequences")
struct CutFileTests {
    private let folder: TemporaryFolder
    private let probe = Probe(
        .attention(heads: 1), width: 2, task: .binary(classes: ["no", "yes"]),
        parameters: randomFloats(6, seed: 3))

    init() throws { folder = try TemporaryFolder() }

    private static func cut(_ path: String, _ length: Int) throws {
        try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: UInt64(length))
    }

    // Large enough to be mapped: looking at bytes that are gone would end the process.
    private func cutSet() throws -> ActivationSet {
        let tokens = 200_000
        let file = LiteralActivations()
            .with("hidden_states", "F16", [tokens, 2], Array(repeating: 0, count: tokens * 4))
            .with("offsets", "I64", [5], integerBytes(0, 50_000, 100_000, 150_000, tokens))
            .with("labels", "I64", [4], integerBytes(0, 1, 0, 1))
            .with("token_ids", "I32", [tokens], Array(repeating: 1, count: tokens * 4))
        let path = try folder.write(file.file, to: "data.safetensors")
        let set = try ActivationSet(paths: [path])
        try Self.cut(path, 4096)
        return set
    }

    private static let passes: [String: @Sendable (Probe, ActivationSet, String) throws -> Void] = [
        "scores": { probe, data, _ in _ = try probe.scores(data, 3..<4) },
        "evaluate": { probe, data, _ in _ = try probe.evaluate(data) },
        "attention": { probe, data, _ in _ = try probe.attention(data, sequence: 3) },
        "tokenContributions": { probe, data, _ in
            _ = try probe.tokenContributions(data, sequence: 3, outputs: [0])
        },
        "attentionSummary": { probe, data, _ in _ = try probe.attentionSummary(data) },
        "lossGradient": { probe, data, _ in _ = try probe.lossGradient(data) },
        "fit": { _, data, _ in _ = try Trainer(.attention(heads: 1)).fit(data) },
        "fit of pooled states": { _, data, _ in _ = try Trainer(.mean).fit(data) },
        "fit in one step": { _, data, _ in _ = try Trainer(ProbeConfiguration(.lda)).fit(data) },
        "validation": { _, data, _ in
            _ = try Trainer(.mean).fit(needleSet(count: 8, width: 2), validation: data)
        },
        "write": { _, data, out in try data.write(to: out) },
        "isWritten": { _, data, _ in _ = try data.isWritten(in: data) },
        "finiteSequences": { _, data, _ in _ = try data.finiteSequences(threads: 1) },
        "nearDuplicates": { _, data, _ in _ = try data.nearDuplicates() },
        "report": { probe, data, _ in _ = try ProbeReport(probe, data) },
        "selection": { _, data, _ in
            var selection = Selection(CandidateGrid().candidates(for: .binary(classes: ["no", "yes"])))
            selection.folds = 2
            _ = try selection.run(data)
        },
    ]

    @Test(arguments: CutFileTests.passes.keys.sorted())
    func mappedFilesThatWereCutAreAnError(name: String) throws {
        let data = try cutSet()
        let error = #expect(throws: DataError.self) {
            try Self.passes[name]!(probe, data, folder("out"))
        }
        #expect(error?.rule == .truncated && error?.path == folder("data.safetensors"))
        #expect(try folder.names == ["data.safetensors"])
    }

    // Small files are read when they are looked at, and other files take their place in memory meanwhile. What is
    // gone of the first is the text of its tokens, or a part of it.
    @Test(arguments: ["token_text", "token_text_offsets", "token_ids"])
    func nothingIsWrittenOfASmallFileThatIsCutMeanwhile(tensor: String) throws {
        let tokens = 40_000
        for name in 0..<4 {
            let file = LiteralActivations().without("labels")
                .with("hidden_states", "F32", [tokens, 1], Array(repeating: 0, count: tokens * 4))
                .with("offsets", "I64", [2], integerBytes(0, tokens))
            let described =
                tensor == "token_ids"
                ? file.with(tensor, "I32", [tokens], Array(repeating: 1, count: tokens * 4))
                : file.with(
                    "token_text_offsets", "I64", [tokens + 1], (0...tokens).flatMap { integerBytes($0) }
                ).with("token_text", "U8", [tokens], Array(repeating: 0x61, count: tokens))
            _ = try folder.write(described.file, to: "\(name).safetensors")
        }
        let cut = folder("0.safetensors")
        let size = try ByteSource(path: cut).count
        let data = try ActivationSet(paths: [folder.path])
        let left = tensor == "token_text_offsets" ? tokens * 4 + 2000 : size - 2000
        // Token ids are written before the states.
        if tensor == "token_ids" { try Self.cut(cut, left) }
        let error = #expect(throws: DataError.self) {
            try data.write(to: folder("out")) { _ in try Self.cut(cut, left) }
        }
        #expect(error?.rule == .truncated && error?.path == cut, "\(String(describing: error))")
        #expect(try folder.names.count == 4)
    }

    @Test(arguments: ScoreFormat.allCases)
    func rowsAreNotNamedByASmallFileThatIsCutMeanwhile(format: ScoreFormat) throws {
        let (count, width) = (1000, 64)
        for name in 0..<3 {
            let file = LiteralActivations().without("labels")
                .with("hidden_states", "F32", [count, width], Array(repeating: 0, count: count * width * 4))
                .with("offsets", "I64", [count + 1], (0...count).flatMap { integerBytes($0) })
                .with("sequence_ids", "U8", [count * 5], Array(repeating: 0x61, count: count * 5))
                .with(
                    "sequence_ids_offsets", "I64", [count + 1], (0...count).flatMap { integerBytes($0 * 5) })
            _ = try folder.write(file.file, to: "\(name).safetensors")
        }
        let data = try ActivationSet(paths: [folder.path])
        let probe = Probe(
            .mean, width: width, task: .regression(outputs: 1), parameters: randomFloats(65, seed: 1))
        var writer = ScoreWriter(format, [probe], names: ["probe"], data, threads: 1)
        let error = #expect(throws: DataError.self) {
            try ProbeSet([probe]).forEachScores(data, threads: 1) { scores in
                try Self.cut(folder("0.safetensors"), count * width * 4)
                _ = try writer.rows(scores)
            }
        }
        #expect(error?.rule == .truncated && error?.path == folder("0.safetensors"))
    }

    private static let empty: [String: @Sendable (Probe, ActivationSet, String) throws -> Void] = [
        "scores": { probe, data, _ in _ = try probe.scores(data) },
        "forEachScores": { probe, data, _ in try ProbeSet([probe]).forEachScores(data) { _ in } },
        "evaluate": { probe, data, _ in _ = try probe.evaluate(data) },
        "attentionSummary": { probe, data, _ in _ = try probe.attentionSummary(data) },
        "lossGradient": { probe, data, _ in _ = try probe.lossGradient(data) },
        "fit": { _, data, _ in _ = try Trainer(.mean).fit(data) },
        "fit with dropout": { _, data, _ in _ = try Trainer(.attention()).fit(data) },
        "validation": { _, data, _ in
            _ = try Trainer(.mean).fit(needleSet(count: 8), validation: data)
        },
        "write": { _, data, out in try data.write(to: out) },
        "report": { probe, data, _ in _ = try ProbeReport(probe, data) },
        "selection": { _, data, _ in
            let selection = Selection(CandidateGrid().candidates(for: .binary(classes: ["no", "yes"])))
            _ = try selection.run(data)
        },
        "comparison": { _, data, _ in
            let candidates = [Candidate(.mean, TrainingOptions(.lbfgs))]
            let comparison = ProbeComparison(
                [ProbeComparison.Model(name: "mean", candidates: candidates)],
                selection: Selection(candidates))
            _ = try comparison.run(needleSet(count: 40), test: data, name: "empty")
        },
    ]

    @Test(arguments: CutFileTests.empty.keys.sorted())
    func selectionsWithoutSequencesAreAnError(name: String) throws {
        let set = try needleSet(count: 4)
        let probe = Probe(
            .attention(heads: 1), width: 16, task: .binary(classes: ["none", "needle"]),
            parameters: randomFloats(34, seed: 3))
        let error = #expect(throws: DataError.self) {
            try Self.empty[name]!(probe, set.selecting([]), folder("out"))
        }
        #expect(error?.expected == "at least one sequence", "\(String(describing: error))")
        #expect(try folder.names.isEmpty)
    }

    @Test func whatNeedsNoSequenceGoesOn() throws {
        let set = try needleSet(count: 4)
        #expect(try set.selecting([]).nearDuplicates() == nil)
        #expect(set.sample(-1, seed: 0).isEmpty)
        #expect(try Trainer(.mean).fit(set).probe.scores(set, 2..<2).logits.rows == 0)
    }

    @Test func noProbes() {
        #expect(throws: DataError.self) { try ProbeSet(paths: []) }
    }
}
