import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("--controls")
struct ControlOptionTests {
    private let folder: TemporaryFolder
    private let training: String
    private let test: String
    private let probe: String

    // Sequences of one class are longer, and ids say the class too; states say it with noise.
    init() throws {
        folder = try TemporaryFolder()
        (training, test) = (folder("train.safetensors"), folder("test.safetensors"))
        probe = folder("probe.safetensors")
        for (path, count) in [(training, 60), (test, 40)] {
            let noise = randomFloats(count * 8, seed: UInt64(count))
            let sequences = (0..<count).map { i -> [Float] in
                let tokens = i % 2 == 0 || i % 10 == 1 ? 2 : 4
                let label = Float(i % 2)
                var states = Array(noise[8 * i..<8 * i + 2 * tokens])
                for token in 0..<tokens { states[2 * token] += label / 2 }
                return states
            }
            let ids = (0..<count).map { i -> String in i % 2 == 0 ? "a-\(i)" : "b-\(i)" }
            let file = ActivationFile(
                try RaggedBatch(sequences, width: 2), targets: .classes((0..<count).map { $0 % 2 }),
                classes: ["no", "yes"], ids: ids)
            try ActivationSet([file]).write(to: path)
        }
        try Probe(.mean, width: 2, task: .binary(classes: ["no", "yes"]), parameters: [2, 0, -0.5]).write(
            to: probe)
    }

    private func json(_ arguments: [String]) throws -> [String: Any] {
        let run = try Command.run(Command.tool.path, arguments + ["--json"], in: folder.path)
        #expect(run.status == 0, "\(run)")
        return try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }

    @Test func anEvaluationHasThem() throws {
        let arguments = [
            "evaluate", probe, test, "--bootstrap", "50", "--controls", training, "--confound", "^(.)",
        ]
        let found = try json(arguments)
        let controls = try #require(found["controls"] as? [String: Any])
        let rows = try #require(controls["rows"] as? [[String: Any]])
        #expect(rows.map { $0["name"] as? String } == Control.allCases.map(\.rawValue))
        func auroc(_ name: String) throws -> Double {
            try #require(rows.first { $0["name"] as? String == name }?["auroc"] as? Double)
        }
        #expect(try auroc("confound") == 1)
        // All but the four of 40 that are short and positive: 16 of 20 are above all negatives, 4 as long.
        #expect(try abs(auroc("length") - 0.9) < 1e-12)
        #expect(rows.filter { $0["failure"] != nil }.count == 2)
        let margins = try #require(controls["above_best"] as? [[String: Any]])
        let margin = try #require(margins.first { $0["metric"] as? String == "auroc" })
        #expect(margin["control"] as? String == "confound")
        let own = try #require(found["auroc"] as? Double)
        #expect(try abs(#require(margin["value"] as? Double) - (own - 1)) < 1e-12)
        #expect(try #require(margin["low"] as? Double) <= #require(margin["high"] as? Double))

        let table = try Command.run(Command.tool.path, arguments, in: folder.path)
        #expect(table.output.contains("\nmetric "), "\(table)")
        #expect(
            table.output.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.contains("token_ids") },
            "\(table)")
        let report = try Command.run(
            Command.tool.path,
            ["report", probe, test, "--out", folder("page.html"), "--controls", training], in: folder.path)
        #expect(report.status == 0, "\(report)")
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("id=\"controls\"") && page.contains("The probe above the best control"))
        for control in Control.allCases where control != .confound {
            #expect(page.contains(control.meaning.prefix(30)))
        }
    }

    @Test func aComparisonHasThem() throws {
        let arguments = [
            "compare", training, "--test", test, "--kind", "mean,last", "--l2", "0.1", "--folds", "4",
            "--bootstrap",
            "50", "--controls", "--report", folder("page.html"),
        ]
        let found = try json(arguments)
        let set = try #require((found["data_sets"] as? [[String: Any]])?.first)
        #expect((set["controls"] as? [[String: Any]])?.count == 5)
        #expect(set["best_control"] as? String == "length")
        let row = try #require((set["rows"] as? [[String: Any]])?[1])
        let value = try #require(row["value"] as? Double)
        #expect(try abs(#require(row["above_control"] as? Double) - (value - 0.9)) < 1e-12)
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("above the best control, length"))
        let table = try Command.run(Command.tool.path, arguments, in: folder.path)
        #expect(table.output.contains("\nabove length "), "\(table)")
        #expect(table.output.contains("expected token_ids in"), "\(table)")
    }

    // Every pair of two sets has its controls, the diagonal none.
    @Test func transferHasThem() throws {
        let arguments = [
            "compare", training, test, "--transfer", "--kind", "mean,last", "--l2", "0.1", "--folds", "4",
            "--bootstrap", "50", "--controls",
        ]
        let found = try json(arguments)
        let sets = try #require(found["data_sets"] as? [[String: Any]])
        #expect(sets.count == 4)
        for set in sets {
            let isDiagonal = set["cross_validated"] as? Bool == true
            #expect((set["controls"] as? [Any])?.count == (isDiagonal ? nil : 5))
            let rows = try #require(set["rows"] as? [[String: Any]])
            let controls = set["controls"] as? [[String: Any]] ?? []
            let best = controls.first { $0["name"] as? String == set["best_control"] as? String }
            for row in rows where !isDiagonal {
                let value = try #require(row["value"] as? Double)
                let control = try #require(best?["value"] as? Double)
                #expect(try abs(#require(row["above_control"] as? Double) - (value - control)) < 1e-12)
            }
        }
        let table = try Command.run(Command.tool.path, arguments, in: folder.path).output
        let lines = table.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 80 }, "\(table)")
        // A line a training set and probe, with one pair that has a control.
        #expect(
            lines.count { $0.hasPrefix(" ") && ($0.contains(" +") || $0.contains(" -")) } == 4, "\(table)")
    }

    @Test(arguments: ["evaluate", "report"]) func trainingDataOfAnotherWidthAreRefused(command: String) throws
    {
        let wide = folder("wide.safetensors")
        try needleSet(count: 40, width: 3).write(to: wide)
        let run = try Command.start(
            [command, probe, test, "--controls", wide]
                + (command == "report" ? ["--out", folder("page.html")] : [])
        ).wait()
        #expect(run.status == 65 && run.output.isEmpty, "\(run)")
        #expect(
            run.error.contains(
                "wide.safetensors: tensor hidden_states: expected the width of the probe, 2, found 3"),
            "\(run)")
    }

    // Recall at a rate that so few negatives cannot show is not told of controls either.
    @Test func ratesThatCannotBeSeenAreNot() throws {
        let page = folder("page.html")
        let run = try Command.run("report", probe, test, "--out", page, "--controls", training)
        #expect(run.status == 0, "\(run)")
        let text = try String(contentsOfFile: page, encoding: .utf8)
        let table = try #require(text.components(separatedBy: "Metrics of all controls").last)
        let cells = table.components(separatedBy: "</table>")[0].components(separatedBy: "<td")
        #expect(cells.count { $0.contains(">–</td>") } >= 3 * 3, "\(cells)")
        let arguments = [
            "compare", training, "--test", test, "--kind", "mean,last", "--l2", "0.1", "--folds", "4",
            "--bootstrap",
            "50", "--metric", "recall-at-1-fpr", "--report", page,
        ]
        let words = "0 of 20 negatives: a rate of 1 % cannot be seen here"
        #expect(try Command.start(arguments).wait().output.contains("\n\(words)\n"))
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains(words))
        let set = try #require((try json(arguments)["data_sets"] as? [[String: Any]])?.first)
        #expect(set["unseen"] as? String == words)
    }

    @Test(arguments: [
        ("--confound: expected it only with --controls", ["evaluate", "p", "a", "--confound", "x"]),
        ("--confound: expected it only with --controls", ["compare", "a", "--test", "b", "--confound", "x"]),
    ])
    func badInput(words: String, arguments: [String]) throws {
        let run = try Command.start(arguments).wait()
        #expect(run.status == 64 && run.error.contains(words), "\(run)")
    }
}
