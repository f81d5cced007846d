import AttentionProbes
import Foundation

/// One shape to measure: sequences of 16 to 512 tokens, uniformly, and a probe.
struct Workload {
    let width: Int
    let heads: Int
    let outputs: Int
    let batch: RaggedBatch
    let data: ActivationSet
    let probe: Probe
    /// The hidden states, T×D.
    let tokens: [Float]

    /// A workload with `tokens` tokens of normal numbers; a binary attention probe if it has one
    /// output, else one of regression.
    init(width: Int, heads: Int, outputs: Int = 1, tokens count: Int, kind: ProbeKind = .attention) throws {
        var generator = SeededGenerator(seed: 1)
        var offsets = [0]
        while offsets[offsets.count - 1] < count {
            let length = Int.random(in: 16...512, using: &generator)
            offsets.append(min(count, offsets[offsets.count - 1] + length))
        }
        // A prime number of numbers over and over: fast to make, never aligned.
        let pattern = (0..<8191).map { _ in generator.normal() }
        tokens = (0..<count * width).map { pattern[$0 % pattern.count] }
        batch = try RaggedBatch(tokens: TokenMatrix(tokens, columns: width), offsets: offsets)
        let sequences = batch.count
        let targets: Targets
        let task: ProbeTask
        if outputs == 1 {
            targets = .classes((0..<sequences).map { $0 % 2 })
            task = .binary(classes: ["0", "1"])
        } else {
            let values = (0..<sequences * outputs).map { _ in generator.normal() }
            targets = .values(Matrix(rows: sequences, columns: outputs, storage: values))
            task = .regression(outputs: outputs)
        }
        data = try ActivationSet([
            ActivationFile(batch, targets: targets, classes: task.classes)
        ])
        probe = Self.probe(kind, width: width, heads: heads, task, &generator)
        self.width = width
        self.heads = heads
        self.outputs = outputs
    }

    static func probe(
        _ kind: ProbeKind, width: Int, heads: Int, _ task: ProbeTask, _ generator: inout SeededGenerator
    ) -> Probe {
        let configuration: ProbeConfiguration = kind == .mean ? .mean : .attention(heads: heads)
        let count = configuration.architecture(width: width, outputs: task.outputs).tensors.parameterCount
        let parameters = (0..<count).map { _ in 0.02 * generator.normal() }
        return Probe(configuration, width: width, task: task, parameters: parameters)
    }

    /// Writes hidden states and labels to a file.
    func write(as type: ElementType, to path: String) throws {
        try data.write(to: path, as: type)
    }

    /// Reads all hidden states once, by `cblas_sdot`: nothing can take less time.
    func read(threads: Int) throws {
        let chunk = 1 << 18
        _ = try Parallel.map(count: (tokens.count + chunk - 1) / chunk, threads: threads) { i in
            let part = tokens[i * chunk..<min((i + 1) * chunk, tokens.count)]
            return BLAS.dot(part, part)
        }
    }

    /// T.
    var tokenCount: Int { tokens.count / width }
    /// What has to be read at least.
    var bytes: Double { Double(tokens.count) * 4 }
    /// The stacked weights [q | v] of a probe with one output, 2H×D.
    var weights: ArraySlice<Float> { probe.parameters[..<(2 * heads * width)] }

    /// Multiplications and additions of a product of all tokens with one row.
    private var row: Double { 2 * Double(tokens.count) }
    // Queries, and then values of every token, or sums of tokens and values of these, whichever is less.
    var forwardOperations: Double { row * Double(2 * heads) + pooledValues }
    // For the gradient each product has another one of its own size, and values of pooled tokens two.
    var gradientOperations: Double { 2 * row * Double(2 * heads) + 3 * pooledValues }

    private var pooledValues: Double {
        outputs == 1 ? 0 : 2 * Double(batch.count * heads * width * outputs)
    }
}
