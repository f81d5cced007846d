import Foundation
import TestSupport
import Testing

@Suite("attnprobe report, evaluate and inspect")
struct ReportTests {
    private let folder: TemporaryFolder
    private let probe: String
    private let whole = LiteralActivations()

    init() throws {
        folder = try TemporaryFolder()
        probe = folder("probe")
        let data = try folder.write(whole.file, to: "data")
        #expect(
            try Command.run("train", data, "--heads", "2", "--epochs", "2", "--out", probe, "--quiet").status
                == 0)
    }

    private func integers(_ values: [Int]) -> [UInt8] { values.flatMap { integerBytes($0) } }

    @Test func tokensWithoutTextAndWithBadText() throws {
        func page(_ activations: LiteralActivations) throws -> String {
            let data = try folder.write(activations.file, to: "data")
            let made = try Command.run("report", probe, data, "--out", folder("page.html"), "--quiet")
            #expect(made.status == 0 && made.output.isEmpty && made.error.isEmpty, "\(made)")
            return try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        }
        #expect(try page(whole).contains("neither token_text nor token_ids"))
        let ids = try page(whole.with("token_ids", "I64", [3], integers([5, 6, 1037])))
        #expect(ids.contains("The data have no token_text") && ids.contains("\"#1037\""))
        let text = whole.with("token_text", "U8", [4], [0x61, 0xC3, 0xA9, 0xFF])
            .with("token_text_offsets", "I64", [4], integers([0, 1, 3, 4]))
        let bad = try page(text)
        #expect(bad.contains("The text of 1 token shown is no UTF-8") && bad.contains("\"é\""))
        #expect(bad.contains("\"invalid\":[1]"))
        let unlabelled = try page(whole.without("labels"))
        #expect(unlabelled.contains("These data have no labels"))
        let masked = try page(whole.with("token_mask", "U8", [3], [1, 0, 1]))
        #expect(masked.contains("\"visible\":[1]"))
    }

    /// Nothing is written, and what was there stays.
    @Test func badInputLeavesThePageThatWasThere() throws {
        let page = try folder.write(Array("before".utf8), to: "page.html")
        let wide = whole.with("hidden_states", "F32", [3, 1], floatBytes(1, 2, 3))
        let offsets = whole.with("token_text", "U8", [2], [0x61, 0x62])
            .with("token_text_offsets", "I64", [3], integers([0, 1, 2]))
        let nan = whole.with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, .nan, 6))
        let classes = whole.described(
            by: #"{"format":"attention-probes/activations","version":"1","classes":"[\"a\",\"b\"]"}"#)
        for (activations, words) in [
            (wide, "the width of the probe, 2"), (offsets, "tensor token_text_offsets"),
            (nan, "sequence 1, token 1"), (classes, "expected no or yes, found a"),
        ] {
            let data = try folder.write(activations.file, to: "bad")
            try expectFailure(65, words, in: folder, ["report", probe, data, "--out", page])
            #expect(try String(contentsOfFile: page, encoding: .utf8) == "before")
        }
        let data = folder("data")
        for (status, arguments) in [
            (64, ["report", probe, data]), (64, ["report", probe, data, "--out", ""]),
            (64, ["score", probe, data, "--out", ""]), (64, ["train", data, "--out", ""]),
            (64, ["report", probe, data, "--out", data]),
            (64, ["report", probe, data, "--out", page, "--documents", "-1"]),
            (66, ["report", probe, folder("none"), "--out", page]),
            (66, ["report", folder("none"), data, "--out", page]),
        ] as [(Int32, [String])] {
            #expect(try Command.start(arguments).wait().status == status, "\(arguments)")
        }
        let missing = try Command.run("report", probe, data, "--out", folder("no/page.html"))
        #expect(missing.status == 74 || missing.status == 66, "\(missing)")
        #expect(try String(contentsOfFile: page, encoding: .utf8) == "before")
    }

    /// The page's parts are in the binary.
    @Test func aCopyOfTheToolWritesReports() throws {
        let copy = folder("copied")
        try FileManager.default.copyItem(at: Command.tool, to: URL(fileURLWithPath: copy))
        let made = try Command.run(
            copy, ["report", probe, folder("data"), "--out", "page.html"], in: folder.path)
        #expect(made.status == 0, "\(made)")
        #expect(try folder.names.contains("page.html"))
    }

    @Test func evaluateDrawsTheCurve() throws {
        let table = try Command.run("evaluate", probe, folder("data"), "--bootstrap", "9").output
        let lines = table.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("label \\ predicted") && $0.hasSuffix("no  yes") }, "\(table)")
        #expect(
            table.contains("ROC curve, AUROC") && table.contains("•") && table.contains("attention, 2 heads"))
    }

    // Two sequences of one and two tokens with labels of several names, which are long.
    private func multilabel() throws -> String {
        let names = (0..<40).map { "a name of a class that goes on and on, number \($0)" }
        let classes = try String(decoding: JSONEncoder().encode(names), as: UTF8.self)
            .replacing("\"", with: "\\\"")
        let activations = whole.with("labels", "U8", [2, 40], (0..<80).map { UInt8($0 % 3 % 2) })
            .described(
                by: #"{"format":"attention-probes/activations","version":"1","classes":"\#(classes)"}"#)
        return try folder.write(activations.file, to: "several labels of a file with a long name")
    }

    /// Nothing is wider than a terminal, but for the path of a file.
    @Test func linesEndAtEightyColumns() throws {
        let data = try multilabel()
        let several = folder("several")
        let trained = try Command.run(
            "train", data, "--heads", "30", "--epochs", "2", "--out", several, "--quiet")
        #expect(trained.status == 0, "\(trained)")
        let table = try Command.run("evaluate", several, data, "--bootstrap", "9").output
        let inspected = try Command.run("inspect", data, several).output
        for line in (table + inspected).split(separator: "\n") where !line.hasPrefix(folder.path) {
            #expect(line.count <= 80, "\(line)")
        }
        #expect(table.contains("multilabel of 40 classes: a name of a class that goes on …"))
        #expect(inspected.contains("\n  labels  a name of a class that … 1, "), "\(inspected)")
        #expect(inspected.contains(", and 38 more\n") && inspected.contains("several: probe"))
    }

    /// Tasks other than binary have intervals and lengths, too.
    @Test func evaluateOfSeveralLabelsAndOfNumbers() throws {
        func evaluate(_ data: String, _ figures: [String], _ third: String) throws {
            let trained = try Command.run("train", data, "--kind", "mean", "--out", probe, "--quiet")
            #expect(trained.status == 0, "\(trained)")
            let json = try object(Command.run("evaluate", probe, data, "--json", "--bootstrap", "9").output)
            let intervals = try #require(json["intervals"] as? [String: [Double]])
            #expect(intervals.keys.sorted() == figures)
            let thirds = try #require(json["by_length"] as? [[String: Any]])
            #expect(thirds.map { $0["name"] as? String } == ["short", "long"])
            #expect(thirds.allSatisfy { $0.keys.contains(third) }, "\(thirds)")
            let table = try Command.run("evaluate", probe, data, "--bootstrap", "9").output
            #expect(
                table.split(separator: "\n").count {
                    $0.hasSuffix("–1 tokens)") || $0.hasSuffix("–2 tokens)")
                } == 2)
            #expect(table.firstMatch(of: /loss +[-0-9.e]+  +\([-0-9.e]+ to [-0-9.e]+\)/) != nil, "\(table)")
        }
        try evaluate(multilabel(), ["accuracy", "average_precision", "f1", "loss"], "accuracy")
        let numbers = whole.with("labels", "F32", [2, 1], floatBytes(0.5, 2))
            .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        try evaluate(
            folder.write(numbers.file, to: "numbers"), ["loss", "mean_squared_error"], "r2")
    }

    @Test func inspectTellsLengthsAndTraining() throws {
        let text = try Command.run("inspect", folder("data"), probe).output
        #expect(text.contains("1 – 1  ") && text.contains("2 – 2  ") && text.contains("labels  no 1, yes 1"))
        #expect(text.contains("attention, 2 heads, width 2") && text.contains("trained with"))
        #expect(text.contains("optimizer") && text.contains("binary: no, yes"))
        let files = try #require(
            try object(Command.run("inspect", folder("data"), probe, "--json").output)["files"]
                as? [[String: Any]])
        let bins = (files[0]["activations"] as? [String: Any])?["length_histogram"] as? [[String: Int]]
        #expect(bins?.compactMap { $0["sequences"] } == [1, 1])
        #expect((files[1]["probe"] as? [String: Any])?["width"] as? Int == 2)
        #expect(!text.contains("token_mask"))
        let masked = try folder.write(whole.with("token_mask", "U8", [3], [1, 0, 1]).file, to: "masked")
        #expect(try Command.run("inspect", masked).output.contains("  token_mask  hides 1 token\n"))
        let json = try Command.run("inspect", masked, "--json").output
        #expect(json.firstMatch(of: /"masked_tokens" ?: ?1\b/) != nil, "\(json)")
    }
}
