import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what activation, probe and other safetensors files hold.",
        usage: "attnprobe inspect FILE... [--json] [options]",
        discussion: """
              attnprobe inspect train.safetensors probe.safetensors
            """)

    @Argument(help: "Files, or folders of them.")
    var files: [String]
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @Option(help: "Threads to use at most. (default: all processors)")
    var threads = Parallel.availableThreads

    func validate() throws {
        guard threads > 0 else { throw ValidationError("--threads: expected at least 1, found \(threads)") }
    }

    func run() throws {
        let descriptions = try files.flatMap(ActivationSet.files).map { try FileDescription($0, threads) }
        let text = descriptions.map(\.text).joined(separator: "\n\n")
        try StandardOutput.print(json ? ["files": descriptions].json() : text)
    }
}
