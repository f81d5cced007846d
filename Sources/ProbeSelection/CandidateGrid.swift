public import Activations
public import ProbeTraining
public import Probes

/// All combinations of what a user lists, as candidates; where nothing is listed for a kind, its usual
/// values, and where no kind is listed, the grid that did well on the sets in docs/benchmarks.md, the preferred
/// first.
public struct CandidateGrid: Sendable {
    /// Kinds of probes, in the order of candidates; empty for the default grid.
    public var kinds: [ProbeKind] = []
    /// Numbers of heads for the kinds that have them.
    public var heads: [Int] = []
    /// Optimisers, for the kinds that are not fitted in one step.
    public var optimizers: [Optimizer] = []
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
        let listed = kinds.isEmpty ? Self.usual(task) : kinds.map { ($0, .init()) }
        var candidates: [Candidate] = []
        for (kind, settings) in listed {
            for candidate in self.candidates(kind, settings, task) {
                var candidate = candidate
                adjust(&candidate)
                if !candidates.contains(candidate) { candidates.append(candidate) }
            }
        }
        return candidates
    }

    /// The kinds that have a place in the default grid of some task.
    package static var usualKinds: [ProbeKind] { ProbeKind.allCases.filter { $0.grid != nil } }

    // The default grid: of the kinds that have a place in it, what is tried for the task.
    private static func usual(_ task: ProbeTask) -> [(ProbeKind, ProbeKind.GridSettings)] {
        usualKinds.map { ($0, $0.grid!) }
            .sorted { $0.1.rank < $1.1.rank }
            .flatMap { kind, grid in grid.settings(task).map { (kind, $0) } }
    }

    private func candidates(
        _ kind: ProbeKind, _ settings: ProbeKind.GridSettings, _ task: ProbeTask
    ) -> [Candidate] {
        func values<T>(_ listed: [T], _ own: [T]) -> [T?] {
            let values = listed.isEmpty ? own : listed
            return values.isEmpty ? [nil] : values
        }
        let heads = kind.hasHeads ? values(self.heads, settings.heads) : [nil]
        guard !kind.isClosedForm else {
            return [Candidate(ProbeConfiguration(kind), .suited(to: kind, task))]
        }
        return heads.flatMap { heads in
            values(optimizers, settings.optimizer.map { [$0] } ?? []).flatMap { optimizer in
                values(self.l2, settings.l2).flatMap { l2 in
                    values(tokenDropouts, settings.tokenDropouts).map { dropout in
                        var options = TrainingOptions.suited(to: kind, task, optimizer: optimizer)
                        options.l2 = l2 ?? options.l2
                        // The last token is never hidden, so that there is nothing to list.
                        if options.optimizer == .adamw, !kind.readsOneToken {
                            options.tokenDropout = dropout ?? options.tokenDropout
                        }
                        return Candidate(ProbeConfiguration(kind, heads: heads), options)
                    }
                }
            }
        }
    }
}
