import AttentionProbes
import Foundation

/// Scores token by token: one token to one stream, one to each of many, and every prefix of a file's sequences.
struct Streaming {
    let threads: Int
    let rounds: Int
    let peers: Peers?

    func cases() throws -> [Case] { try [append(), step(), tokens()] }

    // One text on one thread, as a probe beside a model that writes.
    private func append() throws -> Case {
        let work = try Workload(width: 4096, heads: 8, tokens: 2000)
        var stream = try ProbeStream(work.probe)
        var logits: [Float] = [0]
        func token(_ i: Int) -> Range<Int> { i * work.width..<(i + 1) * work.width }
        try stream.append(work.tokens.span.extracting(token(0)))
        stream.copyLogits(into: &logits)
        let before = countedAllocations()
        for i in 1..<work.tokenCount {
            try stream.append(work.tokens.span.extracting(token(i)))
            stream.copyLogits(into: &logits)
        }
        let after = countedAllocations()
        var ways = [
            Variant("append") {
                for i in 0..<work.tokenCount {
                    try stream.append(work.tokens.span.extracting(token(i)))
                    stream.copyLogits(into: &logits)
                }
            }
        ]
        ways += try peer("PyTorch, one token", work, count: 1, open: 1, threads: 1)
        let timings = try interleaved(rounds, ways)
        return Case(
            section: "streaming, one token", shape: "D 4096, H 8, O 1, one thread", tokens: work.tokenCount,
            bytes: work.bytes, operations: work.forwardOperations, roofline_seconds: nil,
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: [
                String(format: "%.2f µs a token", timings[0].median / Double(work.tokenCount) * 1e6),
                before.map {
                    "\(after! - $0) allocations for \(work.tokenCount - 1) tokens and their logits"
                } ?? "allocations not counted",
            ])
    }

    // PyTorch with running softmax state, where it is asked for.
    private func peer(_ name: String, _ work: Workload, count: Int, open: Int, threads: Int) throws
        -> [Variant]
    {
        guard let peers else { return [] }
        let scratch = try ScratchFolder()
        try work.write(as: .f32, to: scratch("data.safetensors"))
        try work.probe.write(to: scratch("probe.safetensors"))
        try peers.loadStreams(
            activations: scratch("data.safetensors"), probe: scratch("probe.safetensors"), count: count,
            open: open,
            threads: threads)
        return [Variant.clocked(name, by: { try peers.run(name).seconds })]
    }

    // Steps of 256 of 10,000 texts; the tokens of each as a batch of its own; and all of them as one batch of long texts, for
    // which threads are woken once.
    private func step() throws -> Case {
        let (count, open, steps) = (256, 10_000, 39)
        let work = try Workload(width: 4096, heads: 8, tokens: count * steps)
        let set = ProbeSet([work.probe])
        var streams = try ProbeStreams(set, threads: threads)
        for id in 0..<open { try streams.open(id) }
        var generator = SeededGenerator(seed: 3)
        let ids = (0..<steps).map { _ in Array((0..<open).shuffled(using: &generator).prefix(count)) }
        func states(_ i: Int) -> Range<Int> { i * count * work.width..<(i + 1) * count * work.width }
        let batches = try (0..<steps).map { i in
            let tokens = TokenMatrix(Array(work.tokens[states(i)]), columns: work.width)
            return try ActivationSet(
                [ActivationFile(RaggedBatch(tokens: tokens, offsets: Array(0...count)))], labelled: false)
        }
        var ways = [
            Variant("steps of 256") {
                for i in 0..<steps {
                    _ = try streams.step(ids[i], work.tokens.span.extracting(states(i)))
                }
            },
            Variant("a batch of the same 256 tokens a step") {
                for batch in batches { _ = try set.scores(batch, threads: threads) }
            },
            Variant("one batch of all tokens") { _ = try set.scores(work.data, threads: threads) },
        ]
        ways += try peer("PyTorch, a step", work, count: count, open: open, threads: threads)
        let timings = try interleaved(rounds, ways)
        return Case(
            section: "streaming, many texts", shape: "D 4096, H 8, O 1, 256 of 10,000 open",
            tokens: work.tokenCount,
            bytes: work.bytes, operations: work.forwardOperations, roofline_seconds: nil,
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: [
                String(
                    format: "%.2f of the rate of a batch a step, %.2f of that of one batch",
                    timings[1].median / timings[0].median, timings[2].median / timings[0].median)
            ])
    }

    // `attnprobe score` of every token and of every sequence, from a file in the page cache.
    private func tokens() throws -> Case {
        let work = try Workload(width: 2304, heads: 8, tokens: 200_000)
        let scratch = try ScratchFolder()
        try work.write(as: .f32, to: scratch("data.safetensors"))
        try work.probe.write(to: scratch("probe.safetensors"))
        // Else the system writes them to the disk while they are scored.
        sync()
        var most = 0
        func variant(_ name: String, _ options: [String], _ memory: @escaping (Int) -> Void) -> Variant {
            .score(
                name, scratch("probe.safetensors"), scratch("data.safetensors"),
                to: scratch("out.safetensors"),
                threads: threads, options: options, memory: memory)
        }
        let ways = [
            variant("score --tokens", ["--tokens"]) { most = max(most, $0) },
            variant("score", []) { _ in },
        ]
        let timings = try interleaved(rounds, ways)
        return Case(
            section: "streaming, every token", shape: "D 2304, H 8, O 1, safetensors",
            tokens: work.tokenCount,
            bytes: work.bytes, operations: work.forwardOperations, roofline_seconds: nil,
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: [
                String(
                    format: "%.2f of the rate of score; memory of its own at most %d MB",
                    timings[1].median / timings[0].median, most >> 20)
            ])
    }
}
