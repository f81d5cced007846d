import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("evaluate --by")
struct BreakdownTests {
    private let folder: TemporaryFolder
    private let probe: String
    private let data: String

    // A probe that takes the first dimension for the logit, and twelve sequences of one token.
    init() throws {
        folder = try TemporaryFolder()
        (probe, data) = (folder("probe.safetensors"), folder("data.safetensors"))
        try Probe(.mean, width: 1, task: .binary(classes: ["no", "yes"]), parameters: [1, 0]).write(to: probe)
        let file = ActivationFile(
            try RaggedBatch((0..<12).map { [$0 % 3 == 0 ? -1 : 1] }, width: 1),
            targets: .classes((0..<12).map { $0 % 2 }), classes: ["no", "yes"],
            groups: (0..<12).map { 10 - $0 / 6 * 9 })
        try ActivationSet([file]).write(to: data)
    }

    private func groups(_ options: String...) throws -> [[String: Any]] {
        let run = try Command.start(["evaluate", probe, data, "--json", "--bootstrap", "0"] + options).wait()
        #expect(run.status == 0, "\(run)")
        let json = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        return try #require(json?["by_group"] as? [[String: Any]])
    }

    @Test func groupsOfTheData() throws {
        let found = try groups("--by", "groups")
        #expect(found.map { $0["name"] as? String } == ["1", "10"])
        // Of sequences 0…5, logits are high for 1, 2, 4 and 5; positives are 1, 3 and 5.
        #expect(found[1]["sequences"] as? Int == 6 && found[1]["positives"] as? Int == 3)
        #expect(found[1]["recall"] as? Double == 2.0 / 3)
        #expect(found[1]["false_positive_rate"] as? Double == 2.0 / 3)
        #expect(found[1]["accuracy"] as? Double == 0.5)
    }

    @Test func patternsOfIDs() throws {
        #expect(try groups("--by", "^1?([0-9])").map { $0["name"] as? String } == (0...9).map(String.init))
    }

    @Test func aColumnOfTheLabels() throws {
        let rows = (0..<12).map {
            "\($0),\($0 % 2 == 0 ? "no" : "yes"),\($0 == 11 ? "" : $0 < 4 ? "short" : "long")"
        }
        try ("id,label,form\n" + rows.joined(separator: "\n")).write(
            toFile: folder("labels.csv"), atomically: true, encoding: .utf8)
        let found = try groups("--by", "form", "--labels", folder("labels.csv"))
        #expect(found.map { $0["name"] as? String } == ["long", "none", "short"])
        #expect(found.map { $0["sequences"] as? Int } == [7, 1, 4])
    }

    @Test func tablesAndPagesShowThem() throws {
        let run = try Command.start(["evaluate", probe, data, "--by", "groups"]).wait()
        #expect(run.status == 0, "\(run)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("group  sequences  accuracy") }, "\(run)")
        #expect(lines.contains { $0.hasPrefix("10             6      0.50 0.12–0.88") }, "\(run)")
        #expect(
            lines.contains { $0.contains("0 of 6 negatives: a rate of 1 % cannot be seen here") }, "\(run)")
        #expect(lines.contains { $0.hasPrefix("FPR at threshold") && $0.hasSuffix("4 of 6") }, "\(run)")
        #expect(lines.allSatisfy { $0.count <= 80 })
        let report = try Command.start(
            ["report", probe, data, "--out", folder("page.html"), "--by", "groups"]).wait()
        #expect(report.status == 0, "\(report)")
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("Rates by group") && page.contains("a rate of 1 % cannot be seen here"))
    }

    @Test(arguments: [
        (64, "--by: expected a tensor with a number a sequence", "("),
        (65, "--by to name a tensor with a number a sequence", "nothing-like-it"),
    ])
    func badInput(status: Int32, words: String, by: String) throws {
        let run = try Command.start(["evaluate", probe, data, "--by", by]).wait()
        #expect(run.status == status && run.error.contains(words), "\(run)")
    }
}
