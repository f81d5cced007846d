import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what files of activations, probes and other safetensors files hold.",
        usage: "attnprobe inspect FILE... [--json] [options]",
        discussion: """
              attnprobe inspect train.safetensors probe.safetensors
            """)

    @Argument(help: "Files, or folders of them.")
    var files: [String]
    @Option(help: "The layer to look at of files that hold several. (default: all)")
    var layer: Int?
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @Option(help: "Threads to use at most. (default: all processors)")
    var threads = Parallel.availableThreads

    func validate() throws {
        guard threads > 0 else { throw ValidationError("--threads: expected at least 1, found \(threads)") }
    }

    func run() throws {
        let paths = try files.flatMap(ActivationSet.files)
        let unfinished = ActivationSet.unfinished(among: paths)
        let descriptions = try paths.filter { !unfinished.contains($0) }
            .map { try FileDescription($0, layer.map { [$0] }, threads) }
        if !unfinished.isEmpty {
            StandardError.print(
                "left out \(unfinished.count) files that are still being written: \(few(unfinished))")
        }
        let text = descriptions.map(\.text).joined(separator: "\n\n")
        let report = Report(files: descriptions, unfinished: unfinished)
        try StandardOutput.print(json ? report.json() : text)
    }

    private struct Report: Encodable {
        let files: [FileDescription]
        /// Files that a running server still writes.
        let unfinished: [String]
    }
}
