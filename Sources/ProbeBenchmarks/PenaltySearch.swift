import AttentionProbes
import Foundation

/// Cross-validated logistic regression on pooled states, ten penalties on five folds, against
/// scikit-learn's `LogisticRegressionCV` on the same folds and penalties.
struct PenaltySearch {
    let threads: Int
    let rounds: Int
    let peers: Peers?

    private static let penalties: [Float] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]

    func run() throws -> Case {
        let (count, width) = (2000, 768)
        let data = try Self.sequences(count, width)
        let folds = try data.folds(5, seed: 0)
        var selection = Selection(
            Self.penalties.map { Candidate(.mean, Self.options($0, threads)) })
        selection.folds = folds.count
        selection.threads = threads
        let ours = try selection.run(data)
        var variants = [Variant("AttentionProbes") { _ = try selection.run(data) }]
        var notes: [String] = []
        if let peers {
            let folder = try ScratchFolder()
            let path = folder("pooled.safetensors")
            // Folds stand in the place of groups.
            try data.grouped(folds.assignment).write(to: path, as: .f32)
            let names = try peers.loadFolds(
                activations: path, penalties: Self.penalties.map(Double.init), threads: threads)
            for name in names where name != "optimum" {
                try check(peers.run(name).result, ours.entries.map { Float($0.score!) }, name, within: 2e-3)
                variants.append(.clocked(name) { try peers.run(name).seconds })
            }
            let best = try peers.run("optimum").result
            let own = try Self.penalties.map { try Self.optimum(data, $0, threads) }
            let differences = zip(own, best).map { abs($0 - Double($1)) / Double($1) }
            notes.append(
                String(
                    format: "least loss on all sequences: at most %.1e of it from scikit-learn's",
                    differences.max()!))
        }
        return Case(
            section: "ten penalties, five folds", shape: "N \(count), D \(width)", tokens: count,
            bytes: Double(count * width * 4), operations: 0, roofline_seconds: nil,
            ways: zip(variants, try interleaved(rounds, variants)).map {
                Case.Way(name: $0.name, timing: $1)
            }, notes: notes)
    }

    private static func options(_ penalty: Float, _ threads: Int) -> TrainingOptions {
        var options = TrainingOptions(.lbfgs)
        (options.l2, options.threads, options.standardizes, options.epochs) = (penalty, threads, false, 1000)
        return options
    }

    // Loss plus penalty where training ends.
    private static func optimum(_ data: ActivationSet, _ penalty: Float, _ threads: Int) throws -> Double {
        let result = try Trainer(.mean, options: options(penalty, threads)).fit(data)
        return result.best!.loss + result.best!.penalty
    }

    // Sequences of one token; the first dimensions tell the class, not quite.
    private static func sequences(_ count: Int, _ width: Int) throws -> ActivationSet {
        var generator = SeededGenerator(seed: 2)
        let labels = (0..<count).map { $0 % 2 }
        let values = labels.flatMap { label in
            (0..<width).map { d in generator.normal() + (d < 32 ? Float(label) * 0.25 : 0) }
        }
        let batch = try RaggedBatch(
            tokens: TokenMatrix(values, columns: width), offsets: Array(0...count))
        return try ActivationSet([ActivationFile(batch, targets: .classes(labels), classes: ["0", "1"])])
    }
}
