import AttentionProbes
import Foundation

/// Forward, and loss with gradient, of one shape of probe, against every other way there is.
struct Shapes {
    let machine: Machine
    let threads: Int
    let rounds: Int
    let peers: Peers?
    let hasBaselines: Bool

    func cases(width: Int, heads: Int, outputs: Int, kind: ProbeKind = .attention) throws -> [Case] {
        let work = try Workload(
            width: width, heads: heads, outputs: outputs, tokens: min(552_000, 230_000_000 / width),
            kind: kind)
        let scratch = try ScratchFolder()
        var names: [String] = []
        if let peers {
            try work.write(as: .f32, to: scratch("data.safetensors"))
            try work.probe.write(to: scratch("probe.safetensors"))
            names = try peers.load(
                activations: scratch("data.safetensors"), probe: scratch("probe.safetensors"),
                threads: threads)
        }
        let shape = kind == .mean ? "D \(width), mean probe" : "D \(width), H \(heads), O \(outputs)"
        var cases = [try forward(work, shape, names.filter { !$0.contains("gradient") })]
        guard kind == .attention else { return cases }
        cases.append(try gradient(work, shape, names.filter { $0.contains("gradient") }))
        if threads > 1 { cases.append(try oneThread(work, shape)) }
        return cases
    }

    private func forward(_ work: Workload, _ shape: String, _ names: [String]) throws -> Case {
        let expected = try work.probe.scores(work.data, threads: threads).logits.storage
        func ours() throws -> [Float] { try work.probe.scores(work.data, threads: threads).logits.storage }
        var ways = [Variant("AttentionProbes") { _ = try ours() }]
        try check(withBLAS(ours), expected, Self.blas)
        ways.append(Variant(Self.blas) { _ = try withBLAS(ours) })
        if hasBaselines, work.outputs == 1, work.probe.configuration.kind == .attention {
            let swift = SwiftBaselines(work, threads: threads)
            for (name, run) in [
                ("one tall sgemm", swift.tall), ("Swift SIMD16", swift.simd), ("Swift loops", swift.plain),
            ] {
                try check(run(), expected, name)
                ways.append(Variant(name) { _ = try run() })
            }
        }
        ways += try names.map { try peer($0, expected) }
        let isMean = work.probe.configuration.kind == .mean
        var result = try measure(
            "forward", shape, work, ways, operations: isMean ? work.bytes / 2 : work.forwardOperations)
        if let simd = result.ratio("Swift SIMD16"), let tall = result.ratio("one tall sgemm"), simd < tall {
            result.notes.append(
                String(format: "pure Swift wins: SIMD16 is %.2f times as fast as one tall sgemm", tall / simd)
            )
        }
        for name in ["Swift SIMD16", "Swift loops"] where result.ratio(name).map({ $0 < 1 }) ?? false {
            result.notes.append("pure Swift wins: \(name) is faster than AttentionProbes")
        }
        return result
    }

    private func gradient(_ work: Workload, _ shape: String, _ names: [String]) throws -> Case {
        let (loss, gradient) = try work.probe.lossGradient(work.data, threads: threads)
        func ours() throws { _ = try work.probe.lossGradient(work.data, threads: threads) }
        let own = [
            Variant("AttentionProbes") { try ours() }, Variant(Self.blas) { try withBLAS(ours) },
        ]
        let ways = try own + names.map { try peer($0, [Float(loss)] + gradient) }
        return try measure("loss and gradient", shape, work, ways, operations: work.gradientOperations)
    }

    // What runs inside with every product by OpenBLAS.
    private static let blas = "sgemm on tiles"

    private func withBLAS<Result>(_ body: () throws -> Result) rethrows -> Result {
        Projection.usesBLAS = true
        defer { Projection.usesBLAS = false }
        return try body()
    }

    private func oneThread(_ work: Workload, _ shape: String) throws -> Case {
        let ways = [threads, 1].map { count in
            Variant("\(count) \(count == 1 ? "thread" : "threads")") {
                _ = try work.probe.scores(work.data, threads: count)
            }
        }
        let oneReading = Variant("reading alone, 1 thread") { try work.read(threads: 1) }
        return try measure("threads", shape, work, ways + [oneReading], operations: work.forwardOperations)
    }

    private func peer(_ name: String, _ expected: [Float]) throws -> Variant {
        let peers = peers!
        try check(peers.run(name).result, expected, name)
        return .clocked(name, by: { try peers.run(name).seconds })
    }

    private func measure(
        _ section: String, _ shape: String, _ work: Workload, _ ways: [Variant], operations: Double
    ) throws -> Case {
        // The memory's speed changes with what else the machine does, so it is measured in turn, too.
        let ways = ways + [Variant("reading alone") { try work.read(threads: threads) }]
        let timings = try interleaved(rounds, ways)
        return Case(
            section: section, shape: shape, tokens: work.tokenCount, bytes: work.bytes,
            operations: operations,
            roofline_seconds: max(timings[ways.count - 1].median, operations / machine.peak),
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) })
    }
}
