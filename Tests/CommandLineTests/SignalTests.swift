import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Signals", .serialized)
struct SignalTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // Runs a line of the shell in which $! is the tool, from when a condition is true.
    private func run(
        _ arguments: String, until condition: String, _ signals: String
    ) throws -> CommandResult {
        let script = """
            \(Command.tool.path) \(arguments) 2> error &
            for i in $(seq 600); do \(condition) && break; sleep 0.1; done
            \(signals); wait $!; status=$?; cat error >&2; exit $status
            """
        return try Command.run("/bin/bash", ["-c", script], in: folder.path)
    }

    private func endless(_ signals: String) throws -> CommandResult {
        let train = "train \(Command.example("injection-train")) --out probe --epochs 100000"
        return try run(train, until: "grep -q epoch error", signals)
    }

    // As `timeout` does: to its child, and to the group that this is in.
    @Test(arguments: ["TERM", "INT", "HUP"])
    func aPairOfSignalsSavesTheProbe(signal: String) throws {
        let stopped = try endless("kill -\(signal) $!; kill -\(signal) $!; kill -TERM $!")
        #expect(stopped.status == 130 && stopped.error.contains("interrupted: saved probe"), "\(stopped)")
        #expect(try Probe(path: folder("probe")).width == 384)
    }

    // Whole trainings are averaged, and it is said how many they are.
    @Test func anAverageIsOfWholeTrainings() throws {
        let stopped = try run(
            "train \(Command.example("injection-train")) --out probe --heads 1 --average 500 --epochs 5",
            until: "grep -qE '^ *[0-9]+/500' error && ! tail -n 1 error | grep -qE '^1/500'", "kill -INT $!")
        #expect(stopped.status == 130, "\(stopped)")
        let probe = try Probe(path: folder("probe"))
        let count = probe.configuration.heads
        #expect((1..<500).contains(count) && probe.training["stop"] == "interrupted")
        #expect(
            stopped.error.contains(
                "interrupted: saved probe, the average of \(count) of 500 trainings, loss"),
            "\(stopped)")
        #expect(probe.training["epoch"] == "5")
    }

    // The end of the terminal was said to be none of its business.
    @Test func hangupIsIgnoredWhereItWas() throws {
        let script = """
            trap '' HUP
            \(Command.tool.path) train \(Command.example("injection-train")) --out probe --epochs 3 2> error &
            for i in $(seq 600); do grep -q epoch error && break; sleep 0.1; done
            kill -HUP $!; wait $!
            """
        let done = try Command.run("/bin/bash", ["-c", script], in: folder.path)
        #expect(done.status == 0, "\(done)")
        #expect(try Probe(path: folder("probe")).training["stop"] == "finished")
    }

    // One step that takes long: the factors of a large covariance.
    @Test(arguments: [
        "train data.safetensors --kind lda", "train data.safetensors --select --kind lda --folds 2",
    ])
    func discriminantAnalysisEnds(command: String) throws {
        try needleSet(count: 8, width: 5000, lengths: 1...1).write(to: folder("data.safetensors"))
        let script = """
            \(Command.tool.path) \(command) --out probe 2> error &
            # From when it takes SIGINT, the second of the signals.
            for i in $(seq 6000); do
                caught=$(sed -n 's/^SigCgt:.*\\(.\\)$/\\1/p' /proc/$!/status); [[ $caught == [2367abef] ]] && break
                sleep 0.01
            done
            kill -INT $!; wait $!; status=$?; tail -n 1 error >&2; exit $status
            """
        let stopped = try Command.run("/bin/bash", ["-c", script], in: folder.path)
        #expect(stopped.status == 130, "\(stopped)")
        #expect(stopped.error == "interrupted before there was anything to save\n", "\(stopped.error)")
        #expect(try folder.names.sorted() == ["data.safetensors", "error"])
    }

    @Test func resamplingEnds() throws {
        try needleSet(count: 400, width: 4).write(to: folder("data.safetensors"))
        let arguments =
            "compare data.safetensors --test data.safetensors --kind mean --l2 0.1 --folds 2 --bootstrap 1000000"
        // When the two trainings of folds and that on all are kept.
        let stopped = try run(
            arguments, until: "[ $(cat data.comparison.partial | wc -l) = 4 ]", "sleep 1; kill -INT $!")
        #expect(stopped.status == 130, "\(stopped)")
        #expect(stopped.error.hasSuffix("interrupted; the same command goes on from here\n"), "\(stopped)")
        #expect(try folder.names.contains("data.comparison.partial"))
        let rest = try Command.run(
            "/bin/bash", ["-c", "\(Command.tool.path) \(arguments.dropLast(5))"], in: folder.path)
        #expect(rest.status == 0 && rest.error.contains("which has 3 trainings"), "\(rest)")
    }
}
