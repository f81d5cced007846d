import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("compare")
struct CompareTests {
    private let train = Command.example("injection-train")
    private let test = Command.example("injection-test")
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // In the folder, where it keeps its trainings.
    private func compare(_ arguments: String...) throws -> CommandResult {
        try Command.run(Command.tool.path, ["compare"] + arguments, in: folder.path)
    }

    // Sequences of two tokens; the first dimension of the last says the class, more or less.
    private func small(
        _ name: String, count: Int = 40, first: Float = 1, scale: Float = 1, task: String = "binary"
    ) throws -> String {
        let noise = randomFloats(count * 8, seed: UInt64(count))
        let sequences = (0..<count).map { i in
            (0..<8).map { d in
                scale * (d < 4 ? first * noise[8 * i + d] : noise[8 * i + d] + (d == 4 ? Float(i % 2) : 0))
            }
        }
        let values = randomFloats(count * 2, seed: 7)
        let targets: Targets =
            switch task {
            case "regression": .values(Matrix(rows: count, columns: 2, storage: values))
            case "multilabel":
                .values(Matrix(rows: count, columns: 2, storage: values.map { $0 > 0 ? 1 : 0 }))
            default: .classes((0..<count).map { $0 % 2 })
            }
        let file = ActivationFile(
            try RaggedBatch(sequences, width: 4), targets: targets,
            classes: task == "regression" ? nil : ["no", "yes"])
        try ActivationSet([file]).write(to: folder(name))
        return folder(name)
    }

    @Test func comparesWithTheFirst() throws {
        let run = try compare(
            train, "--test", test, "--kind", "mean,last", "--l2", "0.01,0.1", "--folds", "4",
            "--bootstrap", "200", "--report", folder("page.html"), "--json")
        #expect(run.status == 0, "\(run)")
        let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        let set = try #require((object?["data_sets"] as? [[String: Any]])?.first)
        #expect(set["name"] as? String == "injection-test" && set["baseline"] as? String == "mean")
        let rows = try #require(set["rows"] as? [[String: Any]])
        #expect(rows.map { $0["name"] as? String } == ["mean", "last"])
        func number(_ row: Int, _ key: String) -> Double { (rows[row][key] as? Double) ?? .nan }
        #expect(rows[0]["difference"] == nil)
        #expect(abs(number(1, "difference") - (number(1, "value") - number(0, "value"))) < 1e-12)
        #expect(number(1, "difference_low") < number(1, "difference"))
        #expect(number(1, "difference") < number(1, "difference_high"))
        #expect(number(0, "low") < number(0, "value") && number(0, "value") < number(0, "high"))
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("injection") && page.contains("</html>"))
        #expect(page.contains("Candidates by cross-validation on injection"))
        #expect((rows[0]["candidates"] as? [[String: Any]])?.count == 2)
        #expect(try folder.names == ["page.html"])

        let table = try compare(
            train, "--test", test, "--kind", "mean,attention", "--heads", "1", "--l2", "0.01",
            "--folds", "2", "--bootstrap", "20", "--quiet")
        #expect(table.status == 0 && table.error.isEmpty && table.output.contains("attention, 1 head"))
        #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    // Small states make large weights, and these large products.
    @Test func whatFailsIsShownAndTheOthersStand() throws {
        let (training, test) = (
            try small("train", scale: 0.01), try small("test", count: 20, first: 1e38)
        )
        let run = try compare(
            training, "--test", test, "--kind", "last,mean", "--l2", "0.0001", "--folds", "2", "--bootstrap",
            "20", "--report", folder("page.html"), "--json")
        #expect(run.status == 0, "\(run)")
        let set = try #require((object(run.output)["data_sets"] as? [[String: Any]])?.first)
        let rows = try #require(set["rows"] as? [[String: Any]])
        #expect(rows[0]["value"] as? Double != nil && rows[0]["failure"] == nil)
        #expect(rows[1]["value"] == nil)
        #expect(try #require(rows[1]["failure"] as? String).contains("beyond the range of float32"))
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("mean failed: "))

        let all = try compare(
            training, "--test", test, "--kind", "mean", "--l2", "0.0001", "--folds", "2", "--bootstrap", "20")
        #expect(all.status == 65 && all.error.contains("expected at least one probe"), "\(all)")
        #expect(all.output.contains("mean   failed") && all.output.contains("mean failed: "))
    }

    // Numbers without any relation: R² below 0, and L-BFGS at its limit.
    @Test func whatDidNotConvergeIsShown() throws {
        let training = try small("train", task: "regression")
        let test = try small("test", count: 20, task: "regression")
        let options = ["--kind", "mean,attention", "--heads", "8", "--l2", "0", "--folds", "2"]
        let run = try Command.run(
            Command.tool.path, ["compare", training, "--test", test, "--bootstrap", "20"] + options,
            in: folder.path)
        #expect(run.status == 0, "\(run)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.contains { $0.contains("(chosen) did not converge") }, "\(run)")
        // Every number stands alone, signs and all.
        let row = try #require(lines.first { $0.hasPrefix("attention, 8 heads ") }).dropFirst(18)
        let cells = row.split(separator: " ")
        #expect(cells.count == 7 && cells.allSatisfy { Double($0) != nil }, "\(row)")

        let choice = try Command.run(
            Command.tool.path,
            ["train", training, "--select", "--out", folder("probe"), "--average", "1"] + options,
            in: folder.path)
        #expect(choice.status == 0 && choice.error.contains("2 candidates, 2 folds"), "\(choice)")
        // Remarks stand below, indented.
        let rows = choice.output.split(separator: "\n").dropFirst().filter { !$0.hasPrefix("    ") }
        for row in rows {
            let figures = row.split(separator: " ").filter { Double($0) != nil && $0.contains(".") }
            #expect(figures.count == 5, "\(row)")
        }
        #expect(rows.count == 2 && choice.output.contains("not converged"))
    }

    @Test func interruptedItGoesOn() throws {
        let arguments = [
            "compare", train, "--test", test, "--kind", "mean,softmax", "--folds", "2", "--bootstrap", "20",
            "--l2", "0.01",
        ]
        let running = try Command.start(Command.tool.path, arguments, in: folder.path)
        let partial = folder("injection.comparison.partial")
        let deadline = Date(timeIntervalSinceNow: 60)
        func kept() -> Int {
            (try? String(contentsOfFile: partial, encoding: .utf8))?.count(where: { $0 == "\n" }) ?? 0
        }
        while kept() < 3, Date() < deadline { usleep(10_000) }
        running.interrupt()
        let stopped = running.wait()
        // A machine fast enough may have come to the end.
        if stopped.status == 130 {
            #expect(stopped.error.contains("goes on from here") && stopped.output.isEmpty)
            #expect(try folder.names == ["injection.comparison.partial"])
        }
        let rest = try Command.run(Command.tool.path, arguments, in: folder.path)
        #expect(rest.status == 0, "\(rest)")
        if stopped.status == 130 {
            #expect(rest.error.contains("going on from injection.comparison.partial, which has"), "\(rest)")
        }
        #expect(try folder.names.isEmpty)
        let whole = try Command.run(Command.tool.path, arguments, in: folder.path)
        #expect(whole.output == rest.output && !whole.error.contains("going on"))
    }

    @Test func groupsAreDeclaredOrWarnedOf() throws {
        let test = try small("test", count: 20)
        let data = try ActivationSet(paths: [small("once")])
        try data.selecting(Array(data.indices) + Array(data.indices)).write(to: folder("twice"))
        func error(_ options: String...) throws -> String {
            let options = ["--kind", "mean", "--l2", "0.1", "--folds", "2", "--bootstrap", "9"] + options
            let run = try Command.run(
                Command.tool.path, ["compare", folder("twice"), "--test", test] + options, in: folder.path)
            #expect(run.status == 0, "\(run)")
            return run.error
        }
        #expect(try error().contains("80 sequences are almost identical to another"))
        let grouped = try error("--group", "^(.)")
        #expect(grouped.contains("1 probe, 2 folds, groups whole") && !grouped.contains("identical"))
    }

    // Of a label that three of 40 have, or numbers that do not vary: found before anything is trained.
    @Test func trainingDataWithoutAFigureAreRefused() throws {
        let data = try ActivationSet(paths: [small("binary")])
        func set(_ name: String, _ values: [Float], _ classes: [String]?) throws -> String {
            let targets = Targets.values(Matrix(rows: data.count, columns: 1, storage: values))
            let batch = try randomBatch(lengths: data.indices.map { _ in 2 }, width: 4, seed: 3)
            try ActivationSet([ActivationFile(batch, targets: targets, classes: classes)])
                .write(to: folder(name))
            return folder(name)
        }
        for (path, words) in [
            (try set("rare", data.indices.map { $0 % 20 == 0 ? 1 : 0 }, ["rare"]), "vary within each of 10"),
            (try set("same", data.indices.map { _ in 0.1 }, nil), "R² is defined, found the same for all 40"),
        ] {
            try expectFailure(65, words, in: folder, ["train", path, "--select", "--out", folder("probe")])
            try expectFailure(
                65, words, in: folder, ["compare", path, "--test", path, "--report", folder("page.html")])
        }
    }

    @Test func namesWithControlCharactersAndKindsListedTwice() throws {
        let (training, test) = (try small("a\nb"), try small("test", count: 20))
        let run = try compare(
            training, "--test", test, "--kind", "mean,attention,mean", "--heads", "1,1", "--l2", "0.1",
            "--folds", "2", "--bootstrap", "9", "--report", folder("c\nd.html"), "--json")
        #expect(run.status == 0, "\(run)")
        let set = try #require((object(run.output)["data_sets"] as? [[String: Any]])?.first)
        let rows = try #require(set["rows"] as? [[String: Any]])
        #expect(rows.map { $0["name"] as? String } == ["mean", "attention, 1 head"])
        let lines = run.error.split(separator: "\n")
        #expect(lines.contains { $0.contains("b: attention, 1 head") && $0.hasPrefix("a") }, "\(run)")
        #expect(lines.contains { $0.hasPrefix("saved ") && $0.hasSuffix("d.html") }, "\(run)")
    }

    // Before anything is trained.
    @Test func testDataThatDoNotFitAreRefused() throws {
        let binary = try small("train")
        let three = try ActivationSet(paths: [small("all", count: 30)])
        func labelled(_ name: String, _ labels: [Int], _ classes: [String]) throws -> String {
            let batch = try RaggedBatch(
                three.indices.map { _ in randomFloats(8, seed: 3) }, width: 4)
            try ActivationSet([ActivationFile(batch, targets: .classes(labels), classes: classes)])
                .write(to: folder(name))
            return folder(name)
        }
        let names = ["a", "b", "c"]
        let training = try labelled("two of three", three.indices.map { $0 % 2 }, names)
        for (training, test, words) in [
            (
                binary, try labelled("one", three.indices.map { _ in 1 }, ["no", "yes"]),
                "expected sequences of at least two classes, found only class yes"
            ),
            (
                training, try labelled("third", three.indices.map { $0 % 3 }, names),
                "sequence 2 (2): expected one of the 2 classes that the training data have, found c"
            ),
            (binary, training, "sequence 0 (0): expected no or yes, found a"),
            (binary, test, "expected width 4"),
            (binary, try small("numbers", task: "regression"), "labels of a binary task, found 2 values"),
            (
                try small("labels", task: "multilabel"), folder("numbers"),
                "expected a number from 0 to 1 for each class"
            ),
            (binary, try small("infinite", first: .infinity), "sequence 0 (0), token 0"),
        ] {
            try expectFailure(
                65, words, in: folder,
                ["compare", training, "--test", test, "--kind", "mean", "--report", folder("page.html")])
        }
    }

    @Test(arguments: [
        (64, "a metric of a binary task", ["--metric", "r2", "--test", Command.example("injection-test")]),
        (64, "--heads: expected it only with", ["--kind", "mean", "--heads", "2", "--test", "a"]),
        (64, "--l2: expected it only with", ["--kind", "mass-mean,lda", "--l2", "0.1", "--test", "a"]),
        (64, "--average: expected it only with", ["--kind", "mean,max", "--average", "4", "--test", "a"]),
        (64, "4096 heads altogether", ["--heads", "2,2000", "--average", "4", "--test", "a"]),
        (66, "nowhere", ["--test", "nowhere.safetensors"]),
    ])
    func badInput(status: Int32, words: String, options: [String]) throws {
        let result = try Command.start(["compare", train] + options).wait()
        #expect(result.status == status && result.error.contains(words), "\(result)")
    }
}
