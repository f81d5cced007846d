import AttentionProbes
import Foundation

/// `attnprobe convert` against a copy of the same bytes, from the process's start to its end, from the page cache to
/// a file that is new each time.
struct Copies {
    let threads: Int
    let rounds: Int

    /// A flat float32 file, as it is and to bfloat16, against `cp`.
    func flat() throws -> Case {
        let work = try Workload(width: 2304, heads: 1, tokens: 100_000)
        let scratch = try ScratchFolder()
        try work.write(as: .f32, to: scratch("in"))
        return try compare(
            "a flat file, f32, D 2304", bytes: Int(work.bytes), scratch, options: [[], ["--dtype", "bf16"]],
            Command(name: "cp", path: "/bin/cp", arguments: [scratch("in"), scratch("copy")]))
    }

    /// 10,000 requests as a vLLM server dumps them, to one flat file, against `cat`: to make as many files takes
    /// longer than to fill them.
    func requests() throws -> Case {
        let scratch = try ScratchFolder()
        let bytes = try RequestDumps(width: 2048, layers: 1, lengths: 16...64).write(
            10_000, to: scratch("in"))
        return try compare(
            "10000 vLLM files, bf16, D 2048", bytes: bytes, scratch, options: [[]],
            Command(
                name: "cat", path: "/bin/sh",
                arguments: ["-c", "cat \"$0\"/* > \"$1\"", scratch("in"), scratch("copy")]))
    }

    private struct Command {
        let name: String
        let path: String
        let arguments: [String]
    }

    private func compare(
        _ shape: String, bytes: Int, _ scratch: ScratchFolder, options: [[String]], _ copy: Command
    ) throws -> Case {
        let output = scratch("converted.safetensors")
        let ours = options.map { options in
            Command(
                name: (["convert"] + options).joined(separator: " "), path: "attnprobe",
                arguments: [
                    "convert", scratch("in"), "--out", output, "--threads", String(threads), "--quiet",
                ]
                    + options)
        }
        let ways = (ours + [copy]).map { command in
            Variant.clocked(
                command.name,
                by: {
                    func run() throws -> Double {
                        for path in [output, scratch("copy")] {
                            try? FileManager.default.removeItem(atPath: path)
                        }
                        return try Run(command.path, command.arguments).seconds
                    }
                    // Two runs leave their memory to the third. A virtual machine may have to get other memory from
                    // its host, page by page, at a fraction of the disk's speed.
                    for _ in 0..<2 { _ = try run() }
                    return try run()
                })
        }
        let timings = try interleaved(rounds, ways)
        let copying = timings[timings.count - 1].median
        return Case(
            section: "convert", shape: shape, tokens: 0, bytes: Double(bytes), operations: 0,
            roofline_seconds: nil,
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: zip(ours, timings).map { command, timing in
                let rates = String(
                    format: "%.1f GB/s of input, %.2f of the speed of", Double(bytes) / timing.median * 1e-9,
                    copying / timing.median)
                return "\(command.name): \(rates) \(copy.name)"
            })
    }
}
