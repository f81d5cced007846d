import AttentionProbes
import Foundation

/// Scoring from files: numbers of sixteen and eight bits against whole ones, and the command-line tool from its start
/// to its end against the library on numbers in memory.
struct Files {
    let machine: Machine
    let threads: Int
    let rounds: Int

    /// Narrower numbers against float32, in the page cache and, with one head, outside it; GB/s are those of the
    /// float32 values.
    func narrow(heads: Int) throws -> [Case] {
        let work = try Workload(width: 4096, heads: heads, tokens: 56_000)
        let scratch = try ScratchFolder()
        let types: [ElementType] = [.bf16, .f8E4M3, .f8E5M2, .f16, .f32]
        for type in types { try work.write(as: type, to: scratch(type.rawValue)) }
        func open(_ type: ElementType) throws -> ActivationSet {
            try ActivationSet(paths: [scratch(type.rawValue)])
        }
        let opened = try types.map(open)
        let cached = zip(types, opened).map { type, data in
            Variant(type.rawValue) { _ = try work.probe.scores(data, threads: threads) }
        }
        let cachedCase = try measure("file in the page cache", work, cached)
        guard heads == 1 else { return [cachedCase] }
        let cold = types.map { type in
            Variant.clocked(
                type.rawValue,
                by: {
                    try evict(scratch(type.rawValue))
                    return try seconds { _ = try work.probe.scores(open(type), threads: threads) }
                })
        }
        return [cachedCase, try measure("file outside the page cache", work, cold)]
    }

    private func measure(_ section: String, _ work: Workload, _ ways: [Variant]) throws -> Case {
        Case(
            section: section, shape: "D 4096, H \(work.heads), O 1", tokens: work.tokenCount,
            bytes: work.bytes,
            operations: work.forwardOperations, roofline_seconds: nil,
            ways: zip(ways, try interleaved(rounds, ways)).map { Case.Way(name: $0.name, timing: $1) })
    }

    /// `attnprobe score` on a file in the page cache, the start of the process and the rows included.
    func endToEnd(heads: Int) throws -> Case {
        let work = try Workload(width: 2304, heads: heads, tokens: 640_000)
        let scratch = try ScratchFolder()
        try work.write(as: .f32, to: scratch("data.safetensors"))
        try work.probe.write(to: scratch("probe.safetensors"))
        // Else the system writes them to the disk while they are scored.
        sync()
        var most = 0
        let ways = [
            Variant.score(
                "attnprobe score", scratch("probe.safetensors"), scratch("data.safetensors"),
                to: scratch("scores.jsonl"), threads: threads, memory: { most = max(most, $0) }),
            Variant("library, from the file") {
                let data = try ActivationSet(paths: [scratch("data.safetensors")])
                _ = try work.probe.scores(data, threads: threads)
            },
            Variant("in memory") { _ = try work.probe.scores(work.data, threads: threads) },
        ]
        let timings = try interleaved(rounds, ways)
        return Case(
            section: "end to end", shape: "D 2304, H \(heads), O 1", tokens: work.tokenCount,
            bytes: work.bytes, operations: work.forwardOperations, roofline_seconds: nil,
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: [
                String(
                    format: "%.2f of the rate in memory; memory of its own at most %d MB",
                    timings[2].median / timings[0].median, most >> 20)
            ])
    }

    // Writes what is not on the disk yet, then drops the file's pages.
    private func evict(_ path: String) throws {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        fsync(file.fileDescriptor)
        posix_fadvise(file.fileDescriptor, 0, 0, POSIX_FADV_DONTNEED)
    }
}
