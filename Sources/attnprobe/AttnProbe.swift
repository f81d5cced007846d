import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

@main
struct AttnProbe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attnprobe",
        abstract: "Train, apply and judge attention probes on a language model's hidden states.",
        discussion: """
            DATA is one or several activation files (safetensors), or folders of them.

              attnprobe train train.safetensors --out probe.safetensors
              attnprobe evaluate probe.safetensors test.safetensors

            Exit codes: 64 usage, 65 bad data, 66 no such input, 74 input/output error, 130 interrupted.
            """,
        version: "0.1.0",
        subcommands: [Train.self, Score.self, Evaluate.self, Inspect.self])

    static func main() {
        var command: any ParsableCommand
        do {
            command = try parseAsRoot()
        } catch {
            exit(withError: error)
        }
        do {
            try command.run()
        } catch let error as ExitCode {
            exit(withError: error)
        } catch {
            StandardError.print("attnprobe: \(error)")
            exit(withError: exitCode(for: error))
        }
    }

    private static func exitCode(for error: any Error) -> ExitCode {
        switch error {
        case is DataError, is NotPositiveDefinite: ExitCode(EX_DATAERR)
        case is MissingInput: ExitCode(EX_NOINPUT)
        case let error as SystemError: ExitCode(error.isMissingInput ? EX_NOINPUT : EX_IOERR)
        default: ExitCode(EX_SOFTWARE)
        }
    }
}

/// Lines on standard error.
enum StandardError {
    static let isTerminal = isatty(STDERR_FILENO) == 1

    static func print(_ line: String, terminator: String = "\n") {
        FileHandle.standardError.write(Data((line + terminator).utf8))
    }
}
