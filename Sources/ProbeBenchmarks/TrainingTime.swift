import AttentionProbes
import Foundation

/// Whole trainings of attention probes by AdamW against the same in PyTorch, and the loss on other data that both end with.
struct TrainingTime {
    let threads: Int
    let rounds: Int
    let peers: Peers?

    /// Steps of few tokens and many parameters: 8 million.
    func manyParameters() throws -> Case {
        var options = TrainingOptions(.adamw)
        (options.epochs, options.batchSize, options.learningRate) = (2, 32, 0.001)
        return try run(
            "80 steps of 32 sequences", options,
            Sample(width: 128, classes: 1000, lengths: 6...20, strength: 1),
            count: 1280,
            heads: 64)
    }

    /// A usual training, from the start to the end.
    func untilTrained() throws -> Case {
        try run(
            "training with the defaults", TrainingOptions(.adamw),
            Sample(width: 384, classes: 2, lengths: 16...180, strength: 0.25),
            count: 1000, heads: 8)
    }

    private func run(
        _ section: String, _ options: TrainingOptions, _ sample: Sample, count: Int, heads: Int
    ) throws -> Case {
        var options = options
        // PyTorch hides no tokens here.
        (options.threads, options.tokenDropout) = (threads, 0)
        let (data, validation) = (try sample.set(count, seed: 1), try sample.set(200, seed: 2))
        let trainer = Trainer(.attention(heads: heads), options: options)
        func loss() throws -> Double { try trainer.fit(data).probe.evaluate(validation).loss }
        var variants = [Variant("AttentionProbes") { _ = try trainer.fit(data) }]
        var losses = ["AttentionProbes \(thousandths(try loss()))"]
        if let peers {
            let folder = try ScratchFolder()
            let paths = (folder("training.safetensors"), folder("validation.safetensors"))
            try data.write(to: paths.0, as: .f32)
            try validation.write(to: paths.1, as: .f32)
            let names = try peers.loadTraining(
                activations: paths.0, validation: paths.1, heads: heads,
                outputs: sample.classes == 2 ? 1 : sample.classes, options,
                batch: options.batchSize(for: count))
            for name in names {
                losses.append("\(name) \(thousandths(Double(try peers.run(name).result[0])))")
                variants.append(.clocked(name) { try peers.run(name).seconds })
            }
        }
        let outputs = sample.classes == 2 ? 1 : sample.classes
        return Case(
            section: section, shape: "N \(count), D \(sample.width), H \(heads), O \(outputs)",
            tokens: data.tokenCount, bytes: Double(data.tokenCount * sample.width * 4), operations: 0,
            roofline_seconds: nil,
            ways: zip(variants, try interleaved(rounds, variants)).map {
                Case.Way(name: $0.name, timing: $1)
            },
            notes: ["loss on other sequences: " + losses.joined(separator: ", ")])
    }

    /// Sequences of noise, of which one token points where its class does.
    private struct Sample {
        let width, classes: Int
        let lengths: ClosedRange<Int>
        let strength: Float

        func set(_ count: Int, seed: UInt64) throws -> ActivationSet {
            var centres = SeededGenerator(seed: 0)
            let directions = (0..<classes).map { _ in (0..<width).map { _ in centres.normal() } }
            var generator = SeededGenerator(seed: seed)
            // In the smaller set too, every class that there is has its number.
            let labels = (0..<count).map {
                seed == 1 ? $0 % classes : Int.random(in: 0..<min(classes, count), using: &generator)
            }
            let sequences = labels.map { label in
                let length = Int.random(in: lengths, using: &generator)
                var tokens = (0..<length * width).map { _ in generator.normal() }
                let place = Int.random(in: 0..<length, using: &generator) * width
                for d in 0..<width { tokens[place + d] += strength * directions[label][d] }
                return tokens
            }
            let batch = try RaggedBatch(sequences, width: width)
            return try ActivationSet([
                ActivationFile(batch, targets: .classes(labels), classes: (0..<classes).map { "c\($0)" })
            ])
        }
    }
}
