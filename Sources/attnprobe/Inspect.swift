import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what activation and probe files hold.",
        usage: "attnprobe inspect FILE... [--json] [options]",
        discussion: """
              attnprobe inspect train.safetensors probe.safetensors
            """)

    @Argument(help: "Activation files, probe files or folders of activation files.")
    var files: [String]
    @Flag(help: "Print one JSON object on standard output.")
    var json = false
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let descriptions = try files.flatMap { path -> [FileDescription] in
            if let file = try? Safetensors(path: path), file.metadata["format"] == Probe.fileFormat {
                return [FileDescription(try Probe(path: path), path)]
            }
            return try ActivationSet(paths: [path]).files.map { try FileDescription($0, shared.threadCount) }
        }
        print(json ? try ["files": descriptions].json() : descriptions.map(\.text).joined(separator: "\n\n"))
    }
}
