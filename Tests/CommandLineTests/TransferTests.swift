import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("compare with several tests, and evaluate with several sets")
struct TransferTests {
    private let folder: TemporaryFolder
    private let options = ["--kind", "mean,last", "--l2", "0.1", "--folds", "4", "--bootstrap", "50"]

    init() throws { folder = try TemporaryFolder() }

    // Sequences of two tokens, of which one dimension says the class.
    private func small(_ name: String, dimension: Int, count: Int = 40) throws -> String {
        let noise = randomFloats(count * 8, seed: UInt64(count + dimension))
        let sequences = (0..<count).map { i in
            (0..<8).map { noise[8 * i + $0] + ($0 % 4 == dimension ? Float(i % 2) : 0) }
        }
        let file = ActivationFile(
            try RaggedBatch(sequences, width: 4), targets: .classes((0..<count).map { $0 % 2 }),
            classes: ["no", "yes"])
        let path = folder(name + ".safetensors")
        try ActivationSet([file]).write(to: path)
        return path
    }

    private func sets(_ run: CommandResult) throws -> [[String: Any]] {
        #expect(run.status == 0, "\(run)")
        let json = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        return try #require(json?["data_sets"] as? [[String: Any]])
    }

    private func compare(_ arguments: [String]) throws -> CommandResult {
        try Command.run(Command.tool.path, ["compare"] + arguments + options, in: folder.path)
    }

    private func row(_ set: [String: Any], _ index: Int) throws -> [String: Any] {
        try #require((set["rows"] as? [[String: Any]])?[index])
    }

    @Test func everySetWithEverySet() throws {
        let paths =
            [try small("a", dimension: 0), try small("b", dimension: 0, count: 44)]
            + [try small("c", dimension: 1)]
        let found = try sets(
            compare(paths + ["--transfer", "--json", "--report", folder("page.html")]))
        #expect(
            found.map { $0["name"] as? String }
                == ["a", "b", "c"].flatMap { one in ["a", "b", "c"].map { "\(one) to \($0)" } })
        for (i, set) in found.enumerated() {
            #expect(set["training"] as? String == ["a", "b", "c"][i / 3])
            #expect(set["test"] as? String == ["a", "b", "c"][i % 3])
            #expect(set["cross_validated"] as? Bool == (i % 4 == 0 ? true : nil))
            for model in 0..<2 {
                let row = try row(set, model)
                let (low, value, high) = try (
                    #require(row["low"] as? Double), #require(row["value"] as? Double),
                    #require(row["high"] as? Double)
                )
                #expect(low <= value && value <= high && low < high)
                // By cross-validation the metric is the mean of the folds.
                let chosen = (row["candidates"] as? [[String: Any]])?.first { $0["chosen"] as? Bool == true }
                let score = try #require(chosen?["score"] as? Double)
                #expect(i % 4 != 0 || abs(value - score) < 1e-12)
            }
            let difference = try #require(row(set, 1)["difference"] as? Double)
            let values = try (0..<2).map { try #require(row(set, $0)["value"] as? Double) }
            #expect(abs(difference - (values[1] - values[0])) < 1e-12)
        }
        // A set beside the diagonal is what a test of its own is.
        let alone = try sets(compare([paths[0], "--test", paths[1], "--json"]))[0]
        let pair = (try row(found[1], 0)["value"] as? Double, try row(alone, 0)["value"] as? Double)
        #expect(pair.0 != nil && pair.0 == pair.1)
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("id=\"transfer\"") && page.contains("difference to mean"))
        #expect(page.contains("each sequence by probes of folds that did not see it"))

        let table = try compare(paths + ["--transfer"])
        let lines = table.output.split(separator: "\n")
        #expect(lines.contains("mean: AUROC, rows trained on, columns judged by"), "\(table)")
        #expect(lines.contains { $0.split(separator: " ") == ["a", "b", "c"] }, "\(table)")
        #expect(lines.contains { $0.hasPrefix("c ") && $0.split(separator: " ").count == 4 }, "\(table)")
    }

    @Test func severalTestsOfOneTrainingSet() throws {
        let training = try small("a-train", dimension: 0)
        let tests = [try small("near", dimension: 0, count: 30), try small("far", dimension: 1, count: 30)]
        let found = try sets(compare([training, "--json", "--test"] + tests))
        #expect(found.map { $0["name"] as? String } == ["near", "far"])
        #expect(found.allSatisfy { $0["training"] as? String == "a" && $0["cross_validated"] == nil })
        for (set, test) in zip(found, tests) {
            let alone = try sets(compare([training, "--json", "--test", test]))[0]
            #expect(alone["name"] as? String == set["name"] as? String)
            #expect(try row(set, 1)["difference"] as? Double == row(alone, 1)["difference"] as? Double)
        }
        let table = try compare([training, "--test"] + tests)
        #expect(table.output.contains("near, trained on a\nAUROC, difference to mean"), "\(table)")
        #expect(table.output.contains("far, trained on a\n"))
    }

    @Test func severalSetsInOneTable() throws {
        let paths = [try small("near", dimension: 0), try small("far", dimension: 1, count: 120)]
        let probe = folder("probe.safetensors")
        try Probe(.mean, width: 4, task: .binary(classes: ["no", "yes"]), parameters: [1, 0, 0, 0, -0.5])
            .write(to: probe)
        let run = try Command.start(["evaluate", probe, "--data"] + paths + ["--bootstrap", "50"]).wait()
        let lines = run.output.split(separator: "\n")
        #expect(run.status == 0, "\(run)")
        #expect(lines.contains { $0.hasPrefix("data  ") && $0.hasSuffix("recall    FPR") }, "\(run)")
        #expect(lines.contains { $0.hasPrefix("near  ") && $0.contains("–") }, "\(run)")
        #expect(lines.contains { $0.hasPrefix("far  ") }, "\(run)")
        #expect(lines.contains("near: 0 of 20 negatives: a rate of 1 % cannot be seen here"), "\(run)")
        #expect(lines.allSatisfy { $0.count <= 80 })
        let json = try sets(
            Command.start(["evaluate", probe, "--json", "--bootstrap", "50", "--data"] + paths).wait())
        #expect(json.map { $0["name"] as? String } == ["near", "far"])
        for (set, path) in zip(json, paths) {
            let alone = try Command.start(["evaluate", probe, path, "--json", "--bootstrap", "50"]).wait()
            var own = set
            own["name"] = nil
            let other = try JSONSerialization.jsonObject(with: Data(alone.output.utf8))
            #expect(NSDictionary(dictionary: own).isEqual(other))
        }
    }

    // Names have what the figures leave of 80 columns, and two that begin alike stay two.
    @Test func longNamesCutNoFigure() throws {
        let names = ["emails-of-the-second-quarter-a", "emails-of-the-second-quarter-b"]
        let paths = try names.enumerated().map { i, name in try small(name, dimension: i, count: 1200) }
        let probe = folder("probe.safetensors")
        try Probe(.mean, width: 4, task: .binary(classes: ["no", "yes"]), parameters: [1, 0, 0, 0, -0.5])
            .write(to: probe)
        let run = try Command.start(["evaluate", probe, "--data"] + paths + ["--bootstrap", "50"]).wait()
        let lines = run.output.split(separator: "\n").map(String.init)
        let head = try #require(lines.firstIndex { $0.hasPrefix("data ") }, "\(run)")
        #expect(lines[head].hasSuffix("recall    FPR") && lines.allSatisfy { $0.count <= 80 }, "\(run)")
        for (line, letter) in zip(lines[(head + 1)...], ["a", "b"]) {
            #expect(
                line.count == lines[head].count && line.contains("…") && line.contains("-\(letter) "),
                "\(run)")
        }
        let transfer = try compare(paths + ["--transfer"])
        #expect(transfer.output.contains("-a ") && transfer.output.contains("-b\n"), "\(transfer)")
    }

    @Test(arguments: [
        ("found both", ["evaluate", "p", "a", "--data", "b"]),
        ("as many as there are DATA, 2", ["compare", "a", "b", "--test", "c"]),
        ("--test: expected at least one", ["compare", "a"]),
        ("none with --transfer", ["compare", "a", "b", "--transfer", "--test", "c"]),
        ("--transfer: expected at least two DATA, found 1", ["compare", "a", "--transfer"]),
    ])
    func badInput(words: String, arguments: [String]) throws {
        let run = try Command.start(arguments).wait()
        #expect(run.status == 64 && run.error.contains(words), "\(run)")
    }
}
