import Foundation
import TestSupport
import Testing

@Suite("compare")
struct CompareTests {
    private let train = Command.example("injection-train")
    private let test = Command.example("injection-test")

    @Test func comparesWithTheFirst() throws {
        let folder = try TemporaryFolder()
        let run = try Command.run(
            "compare", train, "--test", test, "--kind", "mean,last", "--l2", "0.01,0.1", "--folds", "4",
            "--bootstrap", "200", "--report", folder("page.html"), "--json")
        #expect(run.status == 0, "\(run)")
        let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        let set = try #require((object?["data_sets"] as? [[String: Any]])?.first)
        #expect(set["name"] as? String == "injection" && set["baseline"] as? String == "mean")
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

        let table = try Command.run(
            "compare", train, "--test", test, "--kind", "mean,attention", "--heads", "1", "--l2", "0.01",
            "--folds", "2", "--bootstrap", "20", "--quiet")
        #expect(table.status == 0 && table.error.isEmpty && table.output.contains("attention, 1 head"))
        #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test(arguments: [
        (64, "as many as there are DATA, 1, found 2", ["--test", "a", "b"]),
        (64, "a figure of a binary task", ["--metric", "r2", "--test", Command.example("injection-test")]),
        (64, "a kind that has heads", ["--kind", "mean", "--heads", "2", "--test", "a"]),
        (66, "nowhere", ["--test", "nowhere.safetensors"]),
    ])
    func badInput(status: Int32, words: String, options: [String]) throws {
        let result = try Command.start(["compare", train] + options).wait()
        #expect(result.status == status && result.error.contains(words), "\(result)")
    }
}
