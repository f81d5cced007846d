import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("NaN and infinity on the command line")
struct NonFiniteTests {
    private let folder: TemporaryFolder

    // Two sequences of three tokens of one dimension; a probe of each kind looks at data without fault.
    init() throws { folder = try TemporaryFolder() }

    private func data(_ first: Float, _ second: Float, _ third: Float) throws -> String {
        let file = LiteralActivations()
            .with("hidden_states", "F32", [6, 1], floatBytes(first, second, third, 1, 2, 3))
            .with("offsets", "I64", [3], integerBytes(0, 3, 6)).file
        return try folder.write(file, to: "data")
    }

    private func probe(_ kind: ProbeKind) throws -> String {
        let probe = Probe(
            ProbeConfiguration(kind), width: 1, task: .binary(classes: ["no", "yes"]), parameters: [1, 0])
        try probe.write(to: folder("probe"))
        return folder("probe")
    }

    // A NaN in the middle is no start of a new maximum, and one that a probe does not look at is one all the same.
    @Test(arguments: [ProbeKind.absmax, .last, .mean], [Float.nan, .infinity])
    func everyCommandNamesTheToken(kind: ProbeKind, value: Float) throws {
        let (data, probe) = (try data(5, value, 1), try probe(kind))
        let words = "sequence 0, token 1, dimension 0: expected a finite number"
        for quiet in [[], ["--quiet"]] {
            for arguments in [
                ["score", probe, data], ["evaluate", probe, data],
                ["report", probe, data, "--out", folder("page")],
                ["train", data, "--kind", kind.rawValue, "--out", folder("new")],
            ] { try expectFailure(65, words, in: folder, arguments + quiet) }
        }
    }

    // Also where the search for near-duplicates, which is not for the quiet, does not come first.
    @Test(arguments: [[], ["--quiet"]]) func selectionNamesTheToken(quiet: [String]) throws {
        var values = (0..<40).map { Float($0 % 7) }
        values[12] = .nan
        let batch = try RaggedBatch(
            tokens: TokenMatrix(values, columns: 1), offsets: Array(stride(from: 0, through: 40, by: 2)))
        let set = try ActivationSet([
            ActivationFile(batch, targets: .classes((0..<20).map { $0 % 2 }), classes: ["no", "yes"])
        ])
        try set.write(to: folder("data"))
        let command = [
            "train", folder("data"), "--select", "--kind", "last", "--folds", "2", "--out", folder("new"),
        ]
        let result = try Command.start(command + quiet).wait()
        #expect(
            result.status == 65 && result.error.contains("sequence 6 (6), token 0, dimension 0"), "\(result)")
        #expect(try folder.names == ["data"])
    }

    @Test func aRateThatIsTooHigh() throws {
        let data = try data(5, 4, 1)
        try expectFailure(
            65,
            "expected a learning rate with which training converges, found 1e+30, with which it diverged in step",
            in: folder, ["train", data, "--lr", "1e30", "--out", folder("new"), "--quiet"])
    }

    @Test func whatDidNotConvergeIsSaid() throws {
        let data = try data(5, 4, 1)
        let result = try Command.run(
            "train", data, "--kind", "mean", "--epochs", "1", "--l2", "1e-4", "--out", folder("new"), "--json"
        )
        #expect(result.status == 0 && result.output.contains(#""stop" : "did not converge""#), "\(result)")
        #expect(result.error.contains("did not converge: saved"))
        let report = try Command.run("report", folder("new"), data, "--out", folder("page"))
        #expect(report.status == 0, "\(report)")
        let page = try String(contentsOfFile: folder("page"), encoding: .utf8)
        #expect(page.contains("did not converge"))
    }
}
