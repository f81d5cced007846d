import Foundation
import Synchronization

/// A finished run of a program: one that was built beside this one, or one by its path.
struct Run {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let seconds: Double
    /// The most memory of its own (`RssAnon`) that was seen, every ten milliseconds.
    let anonymousBytes: Int

    init(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        let built = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        process.executableURL = URL(fileURLWithPath: program, relativeTo: built)
        process.arguments = arguments
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        let most = Mutex(0)
        seconds = try ProbeBenchmarks.seconds {
            try process.run()
            let number = process.processIdentifier
            Thread.detachNewThread {
                while let bytes = Self.anonymousBytes(of: number) {
                    most.withLock { $0 = max($0, bytes) }
                    usleep(10_000)
                }
            }
            // `waitUntilExit` looks only every 50 ms.
            ended.wait()
        }
        anonymousBytes = most.withLock { $0 }
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(program) ended with \(process.terminationStatus)")
        }
    }

    // nil when the process has ended.
    private static func anonymousBytes(of process: Int32) -> Int? {
        let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
}

extension Variant {
    /// `attnprobe score` from its start to its end; `memory` is told the most that it had of its own.
    static func score(
        _ name: String, _ probe: String, _ data: String, to output: String, threads: Int,
        options: [String] = [], memory: @escaping (Int) -> Void = { _ in }
    ) -> Variant {
        let files = ["score", probe, data, "--out", output, "--threads", String(threads), "--quiet"]
        return clocked(
            name,
            by: {
                let run = try Run("attnprobe", files + options)
                memory(run.anonymousBytes)
                return run.seconds
            })
    }
}
