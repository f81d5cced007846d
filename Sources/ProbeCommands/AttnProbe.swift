package import ArgumentParser
import AttentionProbes
import Glibc

/// The program: what `attnprobe` is without its `main`.
package struct AttnProbe: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "attnprobe",
        abstract: "Train, apply and judge attention probes on a language model's hidden states.",
        discussion: """
            DATA is one or several files of activations, or folders of them: safetensors, flat or \
            padded, vLLM's dumps of hidden states, .npy and .npz.

              attnprobe train train.safetensors --out probe.safetensors
              attnprobe evaluate probe.safetensors test.safetensors
              attnprobe report probe.safetensors test.safetensors --out report.html

            Exit codes: 64 usage, 65 bad data, 66 no such input, 74 input/output error, 130 interrupted.
            """,
        version: libraryVersion,
        subcommands: [
            Train.self, Calibrate.self, Score.self, Evaluate.self, Compare.self, Report.self, Convert.self,
            Inspect.self,
        ])

    package init() {}

    /// Runs the command that the process was started with, and ends the process.
    package static func main() {
        occupyStandardDescriptors()
        BLAS.restartWithBetterCore()
        BLAS.endIdleThreads()
        reportFileSizeLimit()
        ByteSource.exitWhenBytesAreLost(program: "attnprobe")
        ByteSource.keepPipes()
        var command: any ParsableCommand = AttnProbe()
        do {
            if let unknown = Projection.unknownKernels { throw ValidationError(unknown) }
            try raiseOpenFileLimit()
            let arguments = Array(programArguments().dropFirst())
            command = try parseAsRoot(arguments.joiningNegativeNumbers)
            try checkStandardInput(arguments)
            try command.run()
        } catch {
            // What ArgumentParser throws, it explains itself: help, versions and usage.
            guard let code = failureCode(error) else {
                let text = fullMessage(for: error)
                guard text != text.showingPathBytes() else { exit(withError: error) }
                StandardError.print(text)
                exit(withError: exitCode(for: error))
            }
            StandardError.print(
                code == .validationFailure ? usage(error, type(of: command)) : "attnprobe: \(error)")
            exit(withError: code)
        }
    }

    // Standard input can be one of them only.
    private static func checkStandardInput(_ arguments: [String]) throws {
        let input = ByteSource.standardInput
        let options = ["--labels", "--ids", "--prompt-lengths"].flatMap { option in
            arguments.indices.filter { place in
                arguments[place] == "\(option)=\(input)"
                    || arguments[place] == option && arguments[(place + 1)...].first == input
            }.map { _ in option }
        }
        guard options.count > 1 else { return }
        throw ValidationError(
            "\(options[1]): expected standard input (-) once, found it at \(options[0]) too")
    }

    // The form in which ArgumentParser reports a wrong option. For an error that is thrown while a command runs it would
    // print the usage of the program, not that of the subcommand.
    private static func usage(_ error: any Error, _ command: any ParsableCommand.Type) -> String {
        let name = command == AttnProbe.self ? "attnprobe" : "attnprobe \("\(command)".lowercased())"
        return """
            Error: \(error)
            Usage: \(command.usageString())
              See '\(name) --help' for more information.
            """
    }

    private static func failureCode(_ error: any Error) -> ExitCode? {
        if let status = failureStatus(error) { return ExitCode(status) }
        if error is ValidationError { return .validationFailure }
        return exitCode(for: error) == .failure ? ExitCode(EX_SOFTWARE) : nil
    }
}

extension [String] {
    /// Arguments in which a negative number behind an option is joined to it, "--l2=-1" for "--l2 -1": the parser takes
    /// words that begin with a dash for options, and says of the one before that its value is missing.
    var joiningNegativeNumbers: [String] {
        let end = firstIndex(of: "--") ?? endIndex
        return self[..<end].reduce(into: []) { joined, word in
            if let option = joined.last, option.hasPrefix("--"), !option.contains("="),
                word.hasPrefix("-"), word.split(separator: ",").contains(where: { Double($0) != nil })
            {
                joined[joined.count - 1] = option + "=" + word
            } else {
                joined.append(word)
            }
        } + self[end...]
    }
}

/// Lines on standard error.
enum StandardError {
    static let isTerminal = isatty(STDERR_FILENO) == 1

    static func print(_ line: String, terminator: String = "\n") {
        // Where nobody can be told, the work goes on.
        try? OutputFile.standardError().write(Array((line.showingPathBytes() + terminator).utf8))
    }
}

/// Results on standard output; unlike Swift's own `print`, a full disk is an error.
enum StandardOutput {
    static func print(_ text: String) throws {
        try OutputFile.standardOutput().write(Array((text.showingPathBytes() + "\n").utf8))
    }
}
