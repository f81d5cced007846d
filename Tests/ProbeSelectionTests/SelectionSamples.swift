@testable import Activations
import AttentionProbes
@testable import ProbeSelection

/// Groups of neighbours, of both classes.
func grouped(_ data: ActivationSet, of size: Int) -> ActivationSet {
    data.grouped(data.indices.map { $0 / size })
}

/// Mean and attention probes, quickly trained.
func fewCandidates() -> [Candidate] {
    var grid = CandidateGrid()
    grid.kinds = [.mean, .attention]
    grid.heads = [1, 2]
    grid.l2 = [0.01, 0.1]
    return grid.candidates(for: .binary(classes: ["a", "b"])) { candidate in
        candidate.options.epochs = 25
        candidate.options.learningRate = 0.02
        candidate.options.tokenDropout = 0
    }
}

/// Among `fewCandidates`.
func smallSelection() -> Selection {
    var selection = Selection(fewCandidates())
    selection.folds = 4
    selection.average = 2
    return selection
}

/// Layers of width 8 side by side, called by these numbers: each has numbers of its own, and to a needle's first dimension
/// adds what `signal` says of the layer (its place) and the sequence.
func layeredSet(
    _ numbers: [Int], count: Int = 80, signal: (_ layer: Int, _ sequence: Int) -> Float
) throws -> ActivationSet {
    let width = 8
    var generator = SeededGenerator(seed: 5)
    let sequences = (0..<count).map { index in
        let length = Int.random(in: 3...9, using: &generator)
        let needle = Int.random(in: 0..<length, using: &generator)
        return (0..<length).flatMap { token in
            numbers.indices.flatMap { layer in
                (0..<width).map { dimension in
                    let noise = generator.normal()
                    guard index % 2 == 1, token == needle, dimension == 0 else { return noise }
                    return noise + signal(layer, index)
                }
            }
        }
    }
    let batch = try RaggedBatch(sequences, width: width * numbers.count)
    let file = ActivationFile(
        batch, targets: .classes((0..<count).map { $0 % 2 }), classes: ["none", "needle"])
    return try ActivationSet([
        ActivationFile(file, tokens: batch.tokens, layers: LayerRecord(numbers, areAsStored: false))
    ])
}
