import Foundation
import TestSupport
import Testing

@Suite("The library from another package")
struct ImportTests {
    /// The Swift example of the README, as it stands there.
    private func example() throws -> String {
        let readme = try String(contentsOfFile: Command.package + "/README.md", encoding: .utf8)
        let start = try #require(readme.range(of: "```swift\nimport AttentionProbes\n"))
        let end = try #require(readme.range(of: "```", range: start.upperBound..<readme.endIndex))
        return "import AttentionProbes\n" + readme[start.upperBound..<end.lowerBound]
    }

    // Builds and runs a package of its own that depends on this one.
    @Test(.timeLimit(.minutes(15)))
    func theExampleOfTheReadmeBuildsAndRuns() throws {
        let folder = try TemporaryFolder()
        let sources = folder("Sources/client")
        try FileManager.default.createDirectory(atPath: sources, withIntermediateDirectories: true)
        try example().write(toFile: sources + "/main.swift", atomically: true, encoding: .utf8)
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
        #expect(result.output.contains("AUROC 0.9"), "\(result.output)")
    }
}
