import AttentionProbes

/// 64 probes in one pass.
struct ManyProbes {
    let machine: Machine
    let threads: Int
    let rounds: Int

    func cases() throws -> [Case] { try [wide(), separate()] }

    private func probes(_ work: Workload) -> [Probe] {
        (0..<64).map { number in
            var generator = SeededGenerator(seed: UInt64(number))
            return Workload.probe(
                .attention, width: work.width, heads: work.heads, work.probe.task, &generator)
        }
    }

    // 1024 weight rows: arithmetic is the limit.
    private func wide() throws -> Case {
        let work = try Workload(width: 2304, heads: 8, tokens: 50_000)
        let set = ProbeSet(probes(work))
        let timing = try interleaved(
            rounds, [Variant("one pass") { _ = try set.scores(work.data, threads: threads) }])[0]
        let operations = 64 * work.forwardOperations
        let rate = operations / timing.median
        return Case(
            section: "64 probes", shape: "D 2304, H 8, O 1", tokens: work.tokenCount, bytes: work.bytes,
            operations: operations,
            roofline_seconds: machine.roofline(bytes: work.bytes, operations: operations),
            ways: [Case.Way(name: "one pass", timing: timing)],
            notes: [
                String(
                    format: "%.0f GFLOP/s: %.2f of sgemm's peak, %.2f of our kernel's", rate * 1e-9,
                    rate / machine.sgemm_peak, rate / machine.kernel_peak)
            ])
    }

    private func separate() throws -> Case {
        let work = try Workload(width: 2304, heads: 1, tokens: 100_000)
        let probes = probes(work)
        let set = ProbeSet(probes)
        let ways = [
            Variant("one pass") { _ = try set.scores(work.data, threads: threads) },
            Variant("one after the other") {
                for probe in probes { _ = try probe.scores(work.data, threads: threads) }
            },
        ]
        let together = try set.scores(work.data, threads: threads)
        try check(
            together[63].logits.storage, probes[63].scores(work.data, threads: threads).logits.storage,
            "one pass")
        let operations = 64 * work.forwardOperations
        return Case(
            section: "64 probes", shape: "D 2304, H 1, O 1", tokens: work.tokenCount, bytes: work.bytes,
            operations: operations,
            roofline_seconds: machine.roofline(bytes: work.bytes, operations: operations),
            ways: zip(ways, try interleaved(rounds, ways)).map { Case.Way(name: $0.name, timing: $1) })
    }
}
