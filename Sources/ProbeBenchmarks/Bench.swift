import ArgumentParser
import Foundation
import Tensors

@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Time the forward pass against other ways to write it, in turn, in one run.",
        discussion: """
            Hidden states are float32 in memory, sequences have 16 to 512 tokens, probes one output. \
            Every figure is the median of the rounds, with half the range in percent behind it.
            """)

    @Option(help: "Threads.")
    var threads = Parallel.availableThreads
    @Option(help: "Timed rounds.")
    var rounds = 7
    @Option(help: "Widths D, multiples of 16.")
    var width: [Int] = [768, 2304, 4096]
    @Option(help: "Heads H.")
    var heads: [Int] = [1, 8]
    @Flag(help: "Leave out the implementations in pure Swift.")
    var blasOnly = false
    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func validate() throws {
        guard threads > 0, rounds > 0 else { throw ValidationError("expected at least 1 thread and 1 round") }
        guard width.allSatisfy({ $0 > 0 && $0 % 16 == 0 }) else {
            throw ValidationError("--width: expected multiples of 16")
        }
        guard heads.allSatisfy({ $0 > 0 }) else { throw ValidationError("--heads: expected at least 1") }
    }

    func run() throws {
        let machine = try Machine(threads: threads)
        if !json { print(machine.heading) }
        var cases: [Case] = []
        for d in width {
            for h in heads {
                let result = try measure(Workload(width: d, heads: h, tokens: 230_000_000 / d), machine)
                cases.append(result)
                if !json { print(result.text) }
            }
        }
        if json { print(try Report(machine: machine, cases: cases).json()) }
    }

    private func measure(_ work: Workload, _ machine: Machine) throws -> Case {
        let implementations = Implementation.allCases.filter { !blasOnly || $0 == .ours || $0 == .tall }
        let outputs = try implementations.map { try $0.run(work, threads: threads) }
        for (implementation, output) in zip(implementations, outputs) {
            let difference = zip(output, outputs[0]).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            guard difference < 1e-3 else {
                throw ValidationError(
                    "\(implementation.rawValue) differs by \(difference): not the same function")
            }
        }
        let timings = try interleaved(
            rounds,
            implementations.map { implementation in { _ = try implementation.run(work, threads: threads) } })
        return Case(
            width: work.width, heads: work.heads, tokens: work.tokenCount,
            roofline_seconds: machine.roofline(work),
            bytes: work.bytes, names: implementations.map(\.rawValue), timings: timings)
    }
}

/// The timings of one workload; the first implementation is ours.
struct Case: Encodable {
    let width, heads, tokens: Int
    let roofline_seconds, bytes: Double
    let names: [String]
    let timings: [Timing]

    var text: String {
        var lines = ["", "D \(width), H \(heads), \(tokens) tokens"]
        for (name, timing) in zip(names, timings) {
            let figures = [
                String(format: "%8.1f ms ±%2.0f%%", timing.median * 1e3, timing.spread),
                String(format: "%7.2f Mtok/s", Double(tokens) / timing.median * 1e-6),
                String(format: "%6.1f GB/s", bytes / timing.median * 1e-9),
                String(format: "%5.2f of roofline", roofline_seconds / timing.median),
                String(format: "%6.2f×", timing.median / timings[0].median),
            ]
            lines.append(
                "  " + name.padding(toLength: 16, withPad: " ", startingAt: 0)
                    + figures.joined(separator: " "))
        }
        return lines.joined(separator: "\n")
    }
}

private struct Report: Encodable {
    let machine: Machine
    let cases: [Case]

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try String(decoding: encoder.encode(self), as: UTF8.self)
    }
}

extension Machine {
    var heading: String {
        """
        \(processor), \(threads) threads; OpenBLAS core \(blas_core)
        reads \(String(format: "%.1f", bandwidth * 1e-9)) GB/s, sgemm \(String(format: "%.0f", peak * 1e-9)) GFLOP/s
        last column: time over ours
        """
    }
}
