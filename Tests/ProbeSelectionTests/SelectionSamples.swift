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
