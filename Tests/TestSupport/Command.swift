public import Foundation

/// A finished run of the command-line tool.
public struct CommandResult: Sendable {
    public let status: Int32
    public let output: String
    public let error: String
}

/// The command-line tool that was built beside the tests, and the folder of the package.
public enum Command {
    /// The top of the package.
    public static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// A file of `Examples/`.
    public static func example(_ name: String) -> String { "\(package)/Examples/\(name).safetensors" }

    /// The tool itself.
    public static let tool = Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent(
        "attnprobe")

    /// Runs the tool to its end.
    public static func run(_ arguments: String...) throws -> CommandResult { try start(arguments).wait() }

    /// Runs another program to its end, in a folder.
    public static func run(_ program: String, _ arguments: [String], in folder: String) throws
        -> CommandResult
    {
        try start(program, arguments, in: folder).wait()
    }

    /// Starts another program in a folder.
    public static func start(_ program: String, _ arguments: [String], in folder: String) throws
        -> RunningCommand
    {
        try RunningCommand(URL(fileURLWithPath: program), arguments, folder)
    }

    /// Starts the tool.
    public static func start(_ arguments: [String]) throws -> RunningCommand {
        try RunningCommand(tool, arguments, package)
    }
}

/// A run of a program that may still go on. Its output goes to files, so that no pipe fills up.
public final class RunningCommand {
    private let process = Process()
    private let folder: TemporaryFolder
    private let handles: [FileHandle]

    init(_ program: URL, _ arguments: [String], _ workingFolder: String) throws {
        folder = try TemporaryFolder()
        handles = try ["out", "err"].map { [folder] name in
            _ = try folder.write([], to: name)
            return try FileHandle(forWritingTo: URL(fileURLWithPath: folder(name)))
        }
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: workingFolder)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        try process.run()
    }

    /// What it has written to standard error so far.
    public var error: String { text("err") }

    /// What it has written to standard output so far.
    public var output: String { text("out") }

    /// Sends SIGINT, as Ctrl-C does.
    public func interrupt() { process.interrupt() }

    /// Sends SIGTERM.
    public func terminate() { process.terminate() }

    /// Waits for its end.
    public func wait() -> CommandResult {
        process.waitUntilExit()
        return CommandResult(status: process.terminationStatus, output: text("out"), error: text("err"))
    }

    private func text(_ name: String) -> String {
        (try? String(contentsOfFile: folder(name), encoding: .utf8)) ?? ""
    }
}
