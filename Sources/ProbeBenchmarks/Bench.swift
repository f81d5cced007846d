import ArgumentParser
import AttentionProbes
import Foundation

enum Section: String, CaseIterable, ExpressibleByArgument {
    case shapes, probes, selection, training, files, convert, streaming
}

@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Time probes against other ways to write them, in turn, in one run.",
        discussion: """
            Sequences have 16 to 512 tokens, hidden states are float32 in memory unless a section \
            says otherwise. A figure is the median of the rounds, with half the range in percent \
            behind it; the last column is the time over ours.

              scripts/bench
              scripts/bench --peers --python venv/bin/python
              scripts/bench --only shapes --shape 2304,8,1

            The sections files and convert write up to 10 GB at a time into the folder for temporary files.

            With ATTENTION_PROBES_KERNELS=avx2 and OPENBLAS_CORETYPE=Haswell in the environment it \
            shows what a processor without AVX-512 gets.
            """)

    @Option(help: "Threads.")
    var threads = Parallel.availableThreads
    @Option(help: "Timed rounds.")
    var rounds = 7
    @Option(
        help:
            "Sections: shapes, probes (64 in one pass), selection, training, files, convert, streaming. (default: all)"
    )
    var only: [Section] = []
    @Option(help: "Shapes D,H,O; D a multiple of 16. (default: those of docs/benchmarks.md)")
    var shape: [Shape] = []
    @Flag(help: "Also PyTorch and scikit-learn.")
    var peers = false
    @Option(
        help: "The Python that has torch, numpy, scikit-learn and safetensors; a path from the top folder.")
    var python = "python3"
    @Flag(help: "Leave out plain Swift, Swift SIMD and the tall product.")
    var noBaselines = false
    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    struct Shape: ExpressibleByArgument {
        let width, heads, outputs: Int
        init(_ width: Int, _ heads: Int, _ outputs: Int) {
            (self.width, self.heads, self.outputs) = (width, heads, outputs)
        }
        init?(argument: String) {
            let parts = argument.split(separator: ",").compactMap { Int($0) }
            guard parts.count == 3, parts.allSatisfy({ $0 > 0 }), parts[0] % 16 == 0 else { return nil }
            self.init(parts[0], parts[1], parts[2])
        }
    }

    private static let shapes = [
        Shape(768, 1, 1), Shape(768, 8, 1), Shape(768, 12, 1), Shape(2304, 1, 1), Shape(2304, 8, 1),
        Shape(4096, 1, 1), Shape(4096, 8, 1), Shape(128, 12, 128),
    ]

    func validate() throws {
        guard threads > 0, rounds > 0 else { throw ValidationError("expected at least 1 thread and 1 round") }
    }

    func run() throws {
        let machine = try Machine(threads: threads)
        let peers = try peers ? Peers(python: python) : nil
        var report = Report(machine: machine, peers: peers?.versions ?? [:])
        if !json { Self.show(report.heading) }
        func add(_ cases: [Case]) {
            report.cases += cases
            if !json { Self.show(cases.map(\.text).joined(separator: "\n")) }
        }
        let sections = only.isEmpty ? Section.allCases : only
        if sections.contains(.shapes) {
            let shapes = Shapes(
                machine: machine, threads: threads, rounds: rounds, peers: peers, hasBaselines: !noBaselines)
            for shape in shape.isEmpty ? Self.shapes : shape {
                add(try shapes.cases(width: shape.width, heads: shape.heads, outputs: shape.outputs))
            }
            if shape.isEmpty { add(try shapes.cases(width: 768, heads: 1, outputs: 1, kind: .mean)) }
        }
        if sections.contains(.probes) {
            add(try ManyProbes(machine: machine, threads: threads, rounds: rounds).cases())
        }
        if sections.contains(.selection) {
            add([try PenaltySearch(threads: threads, rounds: rounds, peers: peers).run()])
        }
        if sections.contains(.training) {
            let training = TrainingTime(threads: threads, rounds: rounds, peers: peers)
            add([try training.manyParameters(), try training.untilTrained()])
            add([try SearchTime(threads: threads, rounds: rounds, peers: peers).run()])
        }
        if sections.contains(.files) {
            let files = Files(machine: machine, threads: threads, rounds: rounds)
            for heads in [1, 8] { add(try files.narrow(heads: heads)) }
            for heads in [1, 8] { add([try files.endToEnd(heads: heads)]) }
            let small = SmallFiles(threads: threads, rounds: rounds)
            add([try small.activations(width: 128, tokens: 1_500_000)])
            add([try small.activations(width: 768, tokens: 300_000)])
            add(try small.requests(layers: 1, chosen: [0]))
            add(try small.requests(layers: 3, chosen: [0, 1, 2]))
            add(try small.requests(layers: 3, chosen: [1]))
        }
        if sections.contains(.convert) {
            let copies = Copies(threads: threads, rounds: rounds)
            add([try copies.flat()])
            add([try copies.requests()])
        }
        if sections.contains(.streaming) {
            add(try Streaming(threads: threads, rounds: rounds, peers: peers).cases())
        }
        Self.show(json ? try report.json() : report.table)
    }

    // At once, also into a file or a pipe: a run takes minutes.
    private static func show(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
}
