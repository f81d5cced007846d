import AttentionProbes
import Foundation

/// PyTorch and scikit-learn in a Python process beside this one, which runs what it is told to, when it
/// is told to: their timings stand between ours. `scripts/bench_peers.py` describes the protocol.
final class Peers {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer = Data()
    private(set) var versions: [String: String] = [:]

    /// Starts Python.
    ///
    /// - Throws: `Failure` where it does not start or lacks a package.
    init(python: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [python, "scripts/bench_peers.py"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        for (name, value) in try ask(["command": "info"]) { versions[name] = "\(value)" }
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Loads files; the names of what can run on them.
    func load(activations: String, probe: String, threads: Int) throws -> [String] {
        let reply = try ask([
            "command": "load", "activations": activations, "probe": probe, "threads": threads,
        ])
        return reply["names"] as? [String] ?? []
    }

    /// Loads sequences of one token whose groups are folds; the names of what searches a penalty on them.
    func loadFolds(activations: String, penalties: [Double], threads: Int) throws -> [String] {
        let reply = try ask([
            "command": "load folds", "activations": activations, "penalties": penalties, "threads": threads,
        ])
        return reply["names"] as? [String] ?? []
    }

    /// Loads sequences whose groups are folds, and others to judge by; the names of what chooses a pool and a penalty.
    func loadSearch(
        activations: String, validation: String, pools: [String], penalties: [Double], threads: Int
    ) throws -> [String] {
        let reply = try ask([
            "command": "load search", "activations": activations, "validation": validation, "pools": pools,
            "penalties": penalties, "threads": threads,
        ])
        return reply["names"] as? [String] ?? []
    }

    /// Loads a sequence for a text that takes a token at a time, and for steps of `count` of `open` texts.
    func loadStreams(activations: String, probe: String, count: Int, open: Int, threads: Int) throws {
        _ = try ask([
            "command": "load streams", "activations": activations, "probe": probe, "count": count,
            "open": open,
            "threads": threads,
        ])
    }

    /// Loads sequences to train an attention probe on, and others to judge it by; the names of what trains one.
    func loadTraining(
        activations: String, validation: String, heads: Int, outputs: Int, _ options: TrainingOptions,
        batch: Int
    ) throws -> [String] {
        let reply = try ask([
            "command": "load training", "activations": activations, "validation": validation, "heads": heads,
            "outputs": outputs, "epochs": options.epochs, "batch": batch, "threads": options.threads,
            "rate": Double(options.learningRate), "l2": Double(options.l2),
        ])
        return reply["names"] as? [String] ?? []
    }

    /// Runs one thing; the seconds it took there, and the start of its result.
    func run(_ name: String) throws -> (seconds: Double, result: [Float]) {
        let reply = try ask(["command": "run", "name": name])
        guard let seconds = reply["seconds"] as? Double, let result = reply["result"] as? [Double] else {
            throw Failure(description: "\(name): expected seconds and a result, found \(reply.keys.sorted())")
        }
        return (seconds, result.map { Float($0) })
    }

    private func ask(_ question: [String: Any]) throws -> [String: Any] {
        try input.fileHandleForWriting.write(
            contentsOf: JSONSerialization.data(withJSONObject: question) + Data("\n".utf8))
        let line = try readLine()
        guard let reply = try JSONSerialization.jsonObject(with: line) as? [String: Any] else {
            throw Failure(description: "expected a JSON object from Python")
        }
        if let error = reply["error"] { throw Failure(description: "\(error)") }
        return reply
    }

    private func readLine() throws -> Data {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(buffer[..<end])
                buffer = Data(buffer[(end + 1)...])
                return line
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Failure(description: "Python ended") }
            buffer += more
        }
    }
}
