import AttentionProbes
import Foundation

/// A folder with a file for each sequence against one file with the same sequences, both in the page cache, by
/// `attnprobe score` from its start to its end.
struct SmallFiles {
    let threads: Int
    let rounds: Int

    /// Files of our own format, float32, as in the other sections.
    func activations(width: Int, tokens: Int) throws -> Case {
        let work = try Workload(width: width, heads: 8, tokens: tokens)
        let scratch = try ScratchFolder()
        try work.data.write(to: scratch("one.safetensors"), as: .f32)
        try FileManager.default.createDirectory(atPath: scratch("many"), withIntermediateDirectories: false)
        for index in work.data.indices {
            // A folder is read in the order of names.
            let name = String(format: "many/%05d.safetensors", index)
            try work.data.selecting([index]).write(to: scratch(name), as: .f32)
        }
        try work.probe.write(to: scratch("probe.safetensors"))
        return try compare(
            work.data, "files", "D \(width)", heads: 8, bytesRead: Int(work.bytes), scratch)
    }

    /// 10,000 requests as a vLLM server dumps them, bfloat16, D = 2048, of 16 to 64 tokens and `layers` layers, of
    /// which `chosen` are scored: a case for one head, one for eight.
    func requests(layers: Int, chosen: [Int]) throws -> [Case] {
        let scratch = try ScratchFolder()
        let dumps = RequestDumps(width: 2048, layers: layers, lengths: 16...64)
        let bytes = try dumps.write(10_000, to: scratch("many"))
        let data = try ActivationSet(paths: [scratch("many")], layers: chosen)
        try data.write(to: scratch("one.safetensors"))
        var generator = SeededGenerator(seed: 1)
        let task = ProbeTask.binary(classes: ["0", "1"])
        let layers = chosen.map(String.init).joined(separator: ",")
        return try [1, 8].map { heads in
            try Workload.probe(.attention, width: data.width, heads: heads, task, &generator)
                .write(to: scratch("probe.safetensors"))
            return try compare(
                data, "vLLM files", "layers \(layers) of \(dumps.layers), D 2048", heads: heads,
                bytesRead: bytes, scratch, ["--layers", layers])
        }
    }

    private func compare(
        _ data: ActivationSet, _ kind: String, _ shape: String, heads: Int, bytesRead: Int,
        _ scratch: ScratchFolder, _ options: [String] = []
    ) throws -> Case {
        // Else the system writes them to the disk while they are scored.
        sync()
        let probe = scratch("probe.safetensors")
        let outputs = [scratch("many.jsonl"), scratch("one.jsonl")]
        let ways = [
            Variant.score(
                "a file each", probe, scratch("many"), to: outputs[0], threads: threads, options: options),
            Variant.score("one file", probe, scratch("one.safetensors"), to: outputs[1], threads: threads),
        ]
        let timings = try interleaved(rounds, ways)
        guard FileManager.default.contentsEqual(atPath: outputs[0], andPath: outputs[1]) else {
            throw Run.Failure(description: "\(kind): a file each has other scores than one file")
        }
        let tokens = Double(data.tokenCount)
        let states = tokens * Double(data.width * data.storedType.size)
        let rate = timings[1].median / timings[0].median
        return Case(
            section: "\(data.count) \(kind) of \(bytesRead / data.count / 1000) KB",
            shape: "\(shape), H \(heads), O 1",
            tokens: data.tokenCount, bytes: states, operations: tokens * Double(4 * heads * data.width),
            roofline_seconds: nil,
            ways: zip(ways, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: [
                String(
                    format: "%.2f of the rate of one file, %.2f by bytes read; the same rows", rate,
                    rate * Double(bytesRead) / states)
            ])
    }
}
