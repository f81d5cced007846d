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
        #expect(bad.contains("The text of 1 tokens shown is no UTF-8") && bad.contains("\"é\""))
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
            (nan, "sequence 1, token 1"), (classes, "metadata classes"),
        ] {
            let data = try folder.write(activations.file, to: "bad")
            let before = try folder.names
            let result = try Command.run("report", probe, data, "--out", page)
            #expect(result.status == 65 && result.error.contains(words), "\(result)")
            #expect(result.error.split(separator: "\n").count == 1 && result.output.isEmpty)
            #expect(try folder.names == before)
            #expect(try String(contentsOfFile: page, encoding: .utf8) == "before")
        }
        let data = folder("data")
        for (status, arguments) in [
            (64, ["report", probe, data]), (64, ["report", probe, data, "--out", data]),
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
        #expect(lines.allSatisfy { $0.count <= 80 })
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
    }
}
