import Foundation
import TestSupport
import Testing

@Suite("The recipes of the documentation")
struct RecipesTests {
    // The blocks of shell, in order, each with the heading above it.
    private func recipes() throws -> [(title: String, lines: String)] {
        let text = try String(contentsOfFile: Command.package + "/docs/recipes.md", encoding: .utf8)
        return text.components(separatedBy: "\n## ").dropFirst().flatMap { section in
            let title = section.prefix { $0 != "\n" }
            let blocks = section.components(separatedBy: "```sh\n").dropFirst()
            return blocks.map { (String(title), $0.components(separatedBy: "\n```")[0]) }
        }
    }

    @Test func allOfThemRun() throws {
        let recipes = try recipes()
        #expect(recipes.count >= 12)
        let folder = try TemporaryFolder()
        try FileManager.default.createSymbolicLink(
            atPath: folder("Examples"), withDestinationPath: Command.package + "/Examples")
        let binaries = Command.tool.deletingLastPathComponent().path
        for (title, lines) in recipes {
            let script = "set -euo pipefail\nexport PATH=\"\(binaries):$PATH\"\n\(lines)\n"
            let result = try Command.run("/usr/bin/env", ["bash", "-c", script], in: folder.path)
            #expect(result.status == 0, "\(title): \(result.output)\(result.error)")
        }
        for name in ["report.html", "scores.csv", "both.jsonl", "compare.html", "split-test.safetensors"] {
            #expect(FileManager.default.fileExists(atPath: folder(name)), "\(name)")
        }
        // The last prints the metric that it takes out of the JSON.
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder("metrics.json"))).count > 100)
    }
}
