import AttentionProbes
import TestSupport
import Testing

@Suite("Labels from tables")
struct LabelTableTests {
    private let folder: TemporaryFolder
    private let data: ActivationSet

    init() throws {
        folder = try TemporaryFolder()
        let file = LiteralActivations().without("labels").with("sequence_ids", "U8", [2], Array("ab".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
            .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        data = try ActivationSet(paths: [folder.write(file.file, to: "data")])
    }

    private func join(_ lines: [String], for task: ProbeTask? = nil) throws -> LabelJoin {
        let text = lines.map { $0 + "\n" }.joined()
        return try data.labelled(by: LabelTable(path: folder.write(Array(text.utf8), to: "t")), for: task)
    }

    private func csv(_ a: String, _ b: String, for task: ProbeTask? = nil) throws -> LabelJoin {
        try join(["id,label", "a,\(a)", "b,\(b)"], for: task)
    }

    private func json(_ a: String, _ b: String, for task: ProbeTask? = nil) throws -> LabelJoin {
        try join([#"{"id":"a","label":\#(a)}"#, #"{"id":"b","label":\#(b)}"#], for: task)
    }

    // The same in both forms of a table, and what it is by default.
    @Test(arguments: [
        ("3", "1", "binary"), ("3.0", "1.0", "regression"), ("0.0", "1.0", "binary"), ("-1", "1", "binary"),
        ("-1.0", "1.0", "binary"), ("10", "65000", "binary"), ("1e3", "2", "regression"),
        ("0.5", "2", "regression"),
        ("2019", "2021", "binary"), ("0.30000000000000004", "1e-30", "regression"),
    ])
    func numbers(a: String, b: String, task: String) throws {
        let (table, lines) = (try csv(a, b).set, try json(a, b).set)
        #expect(table.targets == lines.targets && table.classes == nil && lines.classes == nil)
        #expect(try table.task().name == task && lines.task().name == task)
        // A probe that predicts numbers takes all of them.
        let regression = ProbeTask.regression(outputs: 1)
        let numbers = Targets.values(Matrix(rows: 2, columns: 1, storage: [Float(a)!, Float(b)!]))
        for set in [table, lines, try csv(a, b, for: regression).set, try json("[\(a)]", "[\(b)]").set] {
            #expect(try set.labelled(for: regression).targets == numbers)
        }
    }

    // Hexadecimal is a name.
    @Test(arguments: [("0xA1", "0xB2"), ("1_000", "2"), ("True", "False"), ("1,5", "2"), ("e", "-")])
    func namesThatAreNoNumbers(a: String, b: String) throws {
        let names = [a, b].sorted()
        let set = try csv("\"\(a)\"", "\"\(b)\"").set
        #expect(try set.task() == .binary(classes: names))
        let error = try #require(throws: DataError.self) {
            try csv("1", "\"\(b)x\"", for: .regression(outputs: 1))
        }
        #expect(error.description.hasSuffix("row 3: expected a number, found \(b)x"), "\(error)")
    }

    @Test(arguments: ["NA", "None", "nan", "NULL", "<NA>", ""])
    func missingLabels(text: String) throws {
        for join in [
            try csv(text, "1"), try csv(text, "yes"), try csv(text, "0.5"), try json("\"\(text)\"", "\"x\""),
        ] {
            #expect(join.unlabelled == ["a"] && join.set.count == 1 && join.set.id(0) == "b")
            #expect(join.missing == (text.isEmpty ? [] : [text]))
        }
        // A class may be called so.
        let known = try csv(
            text.isEmpty ? "x" : text, "y", for: .binary(classes: [text.isEmpty ? "x" : text, "y"]))
        #expect(known.unlabelled.isEmpty && known.set.targets == .classes([0, 1]))
        let error = try #require(throws: DataError.self) { try csv(text, text) }
        let found = text.isEmpty ? "nothing" : text
        #expect(
            error.description.hasSuffix(
                "expected labels for the sequences, as a, b, found \(found) in all 2 rows that are theirs"),
            "\(error)")
    }

    @Test func nullsAlone() throws {
        #expect(try json("null", "1").unlabelled == ["a"])
        let error = try #require(throws: DataError.self) { try json("null", "null") }
        #expect(error.description.hasSuffix("found nothing in all 2 rows that are theirs"), "\(error)")
    }

    @Test func listsThatAreAllEmpty() throws {
        let task = ProbeTask.multilabel(classes: ["x", "y"])
        let none = try json("[]", "[]", for: task)
        #expect(try none.set.labelled(for: task).targets == .values(Matrix(rows: 2, columns: 2)))
        let one = try json("[]", #"["y"]"#, for: task)
        #expect(one.set.targets == .values(Matrix(rows: 2, columns: 2, storage: [0, 0, 0, 1])))
        for (a, words, task) in [
            ("[]", "row 1: expected a name in one list at least, found only empty lists", nil),
            (#"["z"]"#, "row 1: expected names among x or y, found z", task),
        ] as [(String, String, ProbeTask?)] {
            let error = try #require(throws: DataError.self) { try json(a, "[]", for: task) }
            #expect(error.description.hasSuffix(words), "\(error)")
        }
    }

    // Classes of the data, not of the table.
    @Test func classesThatOccur() throws {
        let set = try join(["id,label", "a,x", "z,w", "b,y"]).set
        #expect(set.classes == ["x", "y"] && set.targets == .classes([0, 1]))
        #expect(try join(["id,label", "a,3", "z,9", "b,5"]).set.task() == .binary(classes: ["3", "5"]))
        let several = try join([
            #"{"id":"a","label":["x"]}"#, #"{"id":"z","label":["w"]}"#, #"{"id":"b","label":["y"]}"#,
        ])
        #expect(several.set.classes == ["x", "y"])
    }

    @Test func errorsNameTheTable() throws {
        let set = try csv("1", "7").set
        let error = try #require(throws: DataError.self) {
            try set.labelled(for: .binary(classes: ["1", "2"]))
        }
        #expect(error.description == "\(folder("t")): the label of b: expected 1 or 2, found 7")
        let same = try #require(throws: DataError.self) { try csv("4", "4").set.task() }
        #expect(
            same.description.hasPrefix(folder("t") + ": labels: expected sequences of at least two classes"))
    }

    // What is no JSON is shown where it is, however long the line.
    @Test func aDistantFaultOfALine() throws {
        let line = #"{"id":"a","label":1,"text":"\#(String(repeating: "é", count: 90))","score":NaN}"#
        let error = try #require(throws: DataError.self) { try join([line]) }
        #expect(
            error.description.contains("line 1") && error.description.hasSuffix(#""score":NaN}"#), "\(error)")
        let near = try #require(throws: DataError.self) { try join([#"{"id":"a","label":NaN}"#]) }
        #expect(near.description.hasSuffix(#"found {"id":"a","label":NaN}"#), "\(near)")
    }

    @Test func idsAreNumbersOrTexts() throws {
        let found = try join([#"{"id":1.0,"label":1}"#, #"{"id":2,"label":1}"#, #"{"id":"a","label":0}"#])
        #expect(found.unused == ["1", "2"])
        #expect(throws: DataError.self) { try join([#"{"id":null,"label":1}"#]) }
    }
}
