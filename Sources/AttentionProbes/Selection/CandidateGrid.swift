/// All combinations of what a user lists, as candidates; where nothing is listed for a kind, its usual
/// values, and where no kind is listed, the grid that did well on the sets in the README, the preferred
/// first.
public struct CandidateGrid: Sendable {
    /// Kinds of probes, in the order of candidates; empty for the default grid.
    public var kinds: [ProbeKind] = []
    /// Numbers of heads for the kinds that have them.
    public var heads: [Int] = []
    /// Optimisers, for the kinds that are not fitted in one step.
    public var optimizers: [TrainingOptions.Optimizer] = []
    /// Penalties, likewise.
    public var l2: [Float] = []
    /// Probabilities of hiding a token, for AdamW.
    public var tokenDropouts: [Float] = []

    /// An empty grid: the default one.
    public init() {}

    /// The candidates for a task. Kinds that cannot do the task are left out of the default grid and
    /// kept where they are listed.
    ///
    /// - Parameter adjust: changes what a grid does not list, for every candidate.
    public func candidates(
        for task: ProbeTask, adjust: (inout Candidate) -> Void = { _ in }
    ) -> [Candidate] {
        let listed = kinds.isEmpty ? Self.usual(task) : kinds.map { GridRow($0) }
        var candidates: [Candidate] = []
        for row in listed {
            for candidate in self.candidates(row, task) {
                var candidate = candidate
                adjust(&candidate)
                if !candidates.contains(candidate) { candidates.append(candidate) }
            }
        }
        return candidates
    }

    // A kind with the values that are tried where none are listed.
    private struct GridRow {
        let kind: ProbeKind
        var heads: [Int] = []
        var optimizer: TrainingOptions.Optimizer?
        var l2: [Float] = []
        var dropouts: [Float] = []

        init(
            _ kind: ProbeKind, heads: [Int] = [], _ optimizer: TrainingOptions.Optimizer? = nil,
            l2: [Float] = [], dropouts: [Float] = []
        ) {
            self.kind = kind
            self.heads = heads
            self.optimizer = optimizer
            self.l2 = l2
            self.dropouts = dropouts
        }
    }

    private static func usual(_ task: ProbeTask) -> [GridRow] {
        let linear = [GridRow(.mean, l2: [0.001, 0.01, 0.1, 1]), GridRow(.last, l2: [0.01, 0.1])]
        switch task {
        case .binary:
            return [
                GridRow(.attention, heads: [4], dropouts: [0.5, 0]), GridRow(.attention, heads: [8]),
                GridRow(.multimax), GridRow(.softmax), GridRow(.lda),
            ] + linear
        case .multiclass, .multilabel:
            return [
                GridRow(.attention, heads: [4], .lbfgs, l2: [0.003, 0.01]),
                GridRow(.attention, heads: [4, 8], dropouts: [0, 0.5]), GridRow(.multimax),
                GridRow(.softmax),
            ] + linear
        case .regression:
            return [GridRow(.attention, heads: [2, 8], l2: [0.001, 0.01, 0.1])] + linear
        }
    }

    private func candidates(_ row: GridRow, _ task: ProbeTask) -> [Candidate] {
        func values<T>(_ listed: [T], _ own: [T]) -> [T?] {
            let values = listed.isEmpty ? own : listed
            return values.isEmpty ? [nil] : values
        }
        let heads = row.kind.hasHeads ? values(self.heads, row.heads) : [nil]
        guard !row.kind.isClosedForm else {
            return [Candidate(ProbeConfiguration(row.kind), .suited(to: row.kind, task))]
        }
        return heads.flatMap { heads in
            values(optimizers, row.optimizer.map { [$0] } ?? []).flatMap { optimizer in
                values(self.l2, row.l2).flatMap { l2 in
                    values(tokenDropouts, row.dropouts).map { dropout in
                        var options = TrainingOptions.suited(to: row.kind, task, optimizer: optimizer)
                        options.l2 = l2 ?? options.l2
                        // The last token is never hidden, so that there is nothing to list.
                        if options.optimizer == .adamw, row.kind != .last {
                            options.tokenDropout = dropout ?? options.tokenDropout
                        }
                        return Candidate(ProbeConfiguration(row.kind, heads: heads), options)
                    }
                }
            }
        }
    }
}
