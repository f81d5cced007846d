import Foundation
import TestSupport
import Testing

@Suite("The library from another package")
struct ImportTests {
    /// The pieces of Swift in a file of documentation, as they stand there.
    private func examples(_ path: String) throws -> [String] {
        let text = try String(contentsOfFile: Command.package + "/" + path, encoding: .utf8)
        return text.matches(of: /(?s)```swift\n(.*?)```/).map { String($0.1) }
    }

    /// A file of Swift that declares the types of an article and runs its other pieces in a function.
    private func program(_ article: String) throws -> String {
        let pieces = try examples("Sources/AttentionProbes/AttentionProbes.docc/\(article).md")
        try #require(!pieces.isEmpty)
        let declarations = pieces.filter { $0.hasPrefix("extension") || $0.hasPrefix("struct") }
        let statements = pieces.filter { !declarations.contains($0) }.joined()
        return "import AttentionProbes\n" + declarations.joined()
            + "func run\(article)() throws {\n" + statements + "}\n"
    }

    // Builds and runs a package of its own that depends on this one.
    @Test(.timeLimit(.minutes(15)))
    func theExamplesOfTheDocumentationBuildAndRun() throws {
        let folder = try TemporaryFolder()
        let sources = folder("Sources/client")
        try FileManager.default.createDirectory(atPath: sources, withIntermediateDirectories: true)
        let articles = ["TrainAndJudge", "HiddenStates", "ChooseAProbe", "AddYourOwn"]
        for article in articles {
            try program(article).write(
                toFile: sources + "/\(article).swift", atomically: true, encoding: .utf8)
        }
        let main = try examples("README.md")[0] + articles.map { "try run\($0)()\n" }.joined()
        try main.write(toFile: sources + "/main.swift", atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            atPath: folder("Examples"), withDestinationPath: Command.package + "/Examples")
        // The folder of a dependency names it, whatever a clone is called.
        try FileManager.default.createSymbolicLink(
            atPath: folder("AttentionProbes"), withDestinationPath: Command.package)
        _ = try folder.write(
            Array(
                """
                // swift-tools-version: 6.2
                import PackageDescription

                let package = Package(
                    name: "client",
                    dependencies: [.package(path: "AttentionProbes")],
                    targets: [
                        .executableTarget(
                            name: "client",
                            dependencies: [.product(name: "AttentionProbes", package: "AttentionProbes")])
                    ]
                )
                """.utf8), to: "Package.swift")
        let result = try Command.run("/usr/bin/env", ["swift", "run", "client"], in: folder.path)
        #expect(result.status == 0, "\(result.output)\(result.error)")
        for words in ["AUROC 0.9", "heads over", "no-such-file.safetensors: ", "lda", "positive"] {
            #expect(result.output.contains(words), "\(words): \(result.output)")
        }
    }
}
