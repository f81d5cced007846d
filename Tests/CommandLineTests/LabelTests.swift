import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Labels on the command line")
struct LabelTests {
    private let folder: TemporaryFolder
    private let data: String
    private let count = 20

    init() throws {
        folder = try TemporaryFolder()
        data = folder("data.safetensors")
        let batch = try needleSet(count: 20, width: 4, needles: 3).files[0].batch
        try ActivationSet([ActivationFile(batch)]).write(to: data)
    }

    private func table(_ name: String, _ label: (Int) -> String) throws -> String {
        let rows = (0..<count).map { "\($0),\(label($0))\n" }
        return try folder.write(Array(("id,label\n" + rows.joined()).utf8), to: name)
    }

    private func train(_ out: String, _ labels: String, _ options: String...) throws -> CommandResult {
        try Command.start(
            ["train", data, "--labels", labels, "--kind", "mean", "--out", folder(out)] + options
        ).wait()
    }

    private func evaluate(_ probe: String, _ labels: String) throws -> [String: Any] {
        let run = try Command.run(
            "evaluate", folder(probe), data, "--labels", labels, "--bootstrap", "0", "--json")
        #expect(run.status == 0, "\(run)")
        return try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    }

    @Test func rowsInTheOrderOfSequences() throws {
        let rows = (0..<count).map { "\"prompt, \($0)\",\($0 % 2)\n" }
        let table = try folder.write(Array(("prompt,target\n" + rows.joined()).utf8), to: "rows.csv")
        let ids = try self.table("ids.csv") { "\($0 % 2)" }
        #expect(try train("ids", ids).status == 0)
        #expect(try train("rows", table, "--labels-in-order", "--label-column", "target").status == 0)
        let scores = try ["ids", "rows"].map { try Command.run("score", folder($0), data).output }
        #expect(scores[0] == scores[1] && !scores[0].isEmpty)
        for (path, options, status, words) in [
            (
                table, ["--labels-in-order", "--label-column", "target", "--id-column", "prompt"], 64,
                "not both"
            ),
            (ids, ["--labels-in-order", "--label-column", "target"], 65, "expected one column target"),
            (
                try folder.write(Array("label\n1\n0\n".utf8), to: "two.csv"), ["--labels-in-order"], 65,
                "two.csv: expected 20 rows, one for each sequence in their order, found 2"
            ),
        ] as [(String, [String], Int32, String)] {
            let run = try Command.start(
                ["train", data, "--labels", path, "--kind", "mean", "--out", folder("other")] + options
            ).wait()
            #expect(run.status == status && run.error.contains(words), "\(run)")
        }
    }

    // A path that leads nowhere is a missing input, and one that leads to something else a table that is none.
    @Test func tablesThatAreNoFiles() throws {
        for (path, status, words) in [
            (
                folder.path, 65,
                ": expected a file or a pipe with comma-separated values or JSON lines, found a folder"
            ),
            (
                "/dev/null", 65,
                "/dev/null: expected a file or a pipe with comma-separated values or JSON lines, found a device"
            ),
            (folder("none"), 66, "No such file"),
        ] as [(String, Int32, String)] {
            try expectFailure(
                status, words, in: folder,
                ["train", data, "--labels", path, "--kind", "mean", "--quiet", "--out", folder("probe")])
        }
    }

    @Test func thePositiveClass() throws {
        let names = try table("names.csv") { $0 % 2 == 0 ? "benign" : "attack" }
        let plain = try train("plain", names)
        #expect(plain.error.contains("binary: attack, benign (positive)"), "\(plain)")
        let turned = try train("turned", names, "--positive", "attack", "--json")
        #expect(turned.error.contains("binary: benign, attack (positive)"), "\(turned)")
        #expect(
            turned.output.contains(#""positive" : "attack""#) && turned.output.contains(#""task" : "binary""#)
        )
        let figures = try evaluate("turned", names)
        #expect(figures["positive"] as? String == "attack" && figures["auroc"] as? Double == 1)
        let table = try Command.run("evaluate", folder("turned"), data, "--labels", names, "--bootstrap", "0")
        #expect(table.output.contains("positive class") && table.output.contains("benign, attack (positive)"))
        #expect(
            try Command.run("inspect", folder("turned")).output.contains("binary: benign, attack (positive)"))
        let page = try Command.run(
            "report", folder("turned"), data, "--labels", names, "--bootstrap", "0", "--out",
            folder("page.html"))
        #expect(page.status == 0, "\(page)")
        let html = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(html.contains("positive class"))
        // The rates of a threshold are of the class that was not chosen.
        let selected = try train(
            "selected", names, "--positive", "attack", "--select", "--folds", "2", "--fpr", "0.4",
            "--confidence", "0.5",
            "--json")
        #expect(selected.status == 0 && selected.output.contains(#""positive" : "attack""#), "\(selected)")
        #expect(selected.error.contains("of 10 negatives"), "\(selected)")
        let lines = try String(contentsOfFile: folder("selected.out-of-fold.jsonl"), encoding: .utf8)
        #expect(lines.split(separator: "\n")[1].contains(#""label":"attack""#))
        let compared = try Command.run(
            "compare", data, "--test", data, "--labels", names, "--kind", "mean", "--l2", "0.1", "--folds",
            "2",
            "--bootstrap", "9", "--positive", "attack", "--report", folder("c.html"))
        #expect(compared.error.contains("benign, attack (positive)"), "\(compared)")
        let indices = try self.table("indices.csv") { "\(1 - $0 % 2)" }
        try expectFailure(
            65, "the label of 0: expected the name of a class", in: folder,
            ["evaluate", folder("turned"), data, "--labels", indices, "--quiet"])
    }

    @Test func thePositiveClassThatIsNone() throws {
        let names = try table("names.csv") { $0 % 2 == 0 ? "benign" : "attack" }
        let stars = try table("stars.csv") { "\($0 % 5)" }
        for (labels, words) in [
            (names, "--positive: expected attack or benign, found Attack"),
            (stars, "--positive: expected it only with a binary task, found multiclass"),
        ] {
            let run = try train("probe", labels, "--positive", "Attack")
            #expect(run.status == 64 && run.error.contains(words), "\(run)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder("probe")))
    }

    @Test func classesThatNobodyHas() throws {
        let labels = try table("sparse.csv") { $0 % 2 == 0 ? "10" : "65000" }
        let run = try train("probe", labels)
        #expect(run.status == 0 && run.error.contains("binary: 10, 65000 (positive)"), "\(run)")
        #expect(try evaluate("probe", labels)["auroc"] as? Double == 1)
        let part = try table("part.csv") { $0 % 2 == 0 ? "10" : "" }
        #expect(try evaluate("probe", part)["accuracy"] as? Double == 1)
        let other = try table("other.csv") { $0 % 2 == 0 ? "10" : "11" }
        try expectFailure(
            65, "other.csv: the label of 1: expected 10 or 65000, found 11", in: folder,
            ["evaluate", folder("probe"), data, "--labels", other, "--quiet"])
    }

    // The probe's task decides what the numbers of a table are.
    @Test func wholeNumbersToPredict() throws {
        let stars = try table("stars.csv") { "\(1 + $0 % 2 * 4)" }
        let run = try train("probe", stars, "--task", "regression")
        #expect(run.status == 0 && run.error.contains("regression of 1 number"), "\(run)")
        let figures = try evaluate("probe", stars)
        #expect(try #require(figures["r2"] as? Double) > 0.5)
        let bits = try table("bits.csv") { "\($0 % 2).0" }
        #expect(try evaluate("probe", bits)["mean_squared_error"] as? Double != nil)
        let same = try Command.run(
            "compare", data, "--test", data, "--labels", stars, "--task", "regression", "--kind", "mean",
            "--l2",
            "0.1", "--folds", "2", "--bootstrap", "9", "--report", folder("c.html"))
        #expect(same.status == 0 && same.error.contains("regression of 1 number"), "\(same)")
        // Held-out sequences likewise.
        let held = try train("held", stars, "--task", "regression", "--validation", data, "--patience", "5")
        #expect(held.status == 0, "\(held)")
        try expectFailure(
            65, "row 2: expected a number, found low", in: folder,
            [
                "evaluate", folder("probe"), data, "--labels",
                try table("words.csv") { $0 % 2 == 0 ? "low" : "1" },
            ])
    }

    @Test func missingLabelsAreSaid() throws {
        let labels = try table("some.csv") { $0 == 3 ? "NA" : $0 == 4 ? "" : $0 % 2 == 0 ? "no" : "yes" }
        let run = try train("probe", labels)
        #expect(
            run.error.contains(
                "left out 2 of 20 sequences without a label in \(labels) (where it has NA): 3, 4"),
            "\(run)")
        #expect(run.error.contains("18 sequences") && run.error.contains("binary: no, yes (positive)"))
        try expectFailure(
            65, "expected labels for the sequences, as 0, 1, 2, found None in all 20 rows", in: folder,
            ["train", data, "--out", folder("new"), "--labels", try table("none.csv") { _ in "None" }])
    }

    // A part of the classes, in an order of its own.
    @Test func filesWithOtherClasses() throws {
        func file(_ name: String, _ classes: [String], _ label: (Int) -> Int) throws -> String {
            let batch = try needleSet(count: 20, width: 4, needles: 3).files[0].batch
            let targets = Targets.classes((0..<20).map(label))
            try ActivationSet([ActivationFile(batch, targets: targets, classes: classes)]).write(
                to: folder(name))
            return folder(name)
        }
        let all = try file("all.safetensors", ["a", "b", "c"]) { [1, 2, 1, 2, 0][$0 % 5] }
        let two = try file("two.safetensors", ["c", "b"]) { [1, 0, 1, 0, 0][$0 % 5] }
        let other = try file("other.safetensors", ["c", "x"]) { $0 % 2 }
        let trained = try Command.run("train", all, "--kind", "mean", "--out", folder("probe"))
        #expect(trained.status == 0, "\(trained)")
        let run = try Command.run("evaluate", folder("probe"), two, "--bootstrap", "0", "--json", "--quiet")
        let figures = try #require(
            JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let classes = try #require(figures["by_class"] as? [[String: Any]])
        #expect(classes.map { $0["sequences"] as? Int } == [0, 8, 12])
        try expectFailure(
            65, "sequence 1 (1): expected a, b or c, found x", in: folder,
            ["evaluate", folder("probe"), other])
    }
}
