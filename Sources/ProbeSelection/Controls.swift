// What is reached without what a probe is to find, on the same training and test data: shortcuts, and labels and directions
// that say nothing. See `Control` for what each shows.
import ProbeTraining
package import Tensors
public import Activations
import ProbeMetrics
public import Probes

/// Trains controls on one set and scores others.
public struct Controls: Sendable {
    /// The probe that is trained on shuffled labels.
    package var configuration: ProbeConfiguration
    /// Folds, metric, seed and threads, for the penalties of linear probes; its candidates are not used.
    package var selection: Selection
    /// Of a set what each sequence has of the column that is to be a control; nil for no such control.
    public var confound: (@Sendable (ActivationSet) throws -> [String])?

    /// Controls for a probe.
    public init(_ configuration: ProbeConfiguration, selection: Selection? = nil) {
        self.configuration = configuration
        self.selection = selection ?? Selection([Candidate(configuration, TrainingOptions())])
        self.selection.average = 1
    }

    /// What a control says of some sets.
    public struct Scores: Sendable {
        /// Which.
        package let control: Control
        /// Outputs of each set, N×O; empty where it failed.
        package let logits: [Matrix]
        /// Why it has none; nil where it has.
        package let failure: String?
    }

    /// Trains every control on one set and scores others.
    ///
    /// - Parameter progress: told each control before it is trained.
    /// - Throws: `CancellationError` when interrupted; an error of `confound`. What else goes wrong with a control is
    ///   its failure.
    public func run(
        _ training: ActivationSet, tests: [ActivationSet], task: ProbeTask,
        progress: (Control) -> Void = { _ in }, isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> [Scores] {
        try run(
            training, tests: tests, task: task, journal: nil, trained: ControlProbes(), progress: progress,
            isInterrupted: isInterrupted)
    }

    /// The same with what was trained on the same data for other tests; `trained` gains what is trained now.
    package func run(
        _ training: ActivationSet, tests: [ActivationSet], task: ProbeTask, trained: ControlProbes,
        isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [Scores] {
        try run(
            training, tests: tests, task: task, journal: nil, trained: trained, progress: { _ in },
            isInterrupted: isInterrupted)
    }

    /// The same with what an earlier run has kept.
    ///
    /// - Parameter journal: that of the training data; nil to keep nothing.
    func run(
        _ training: ActivationSet, tests: [ActivationSet], task: ProbeTask, journal: SelectionJournal?,
        trained: ControlProbes = ControlProbes(), progress: (Control) -> Void,
        isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [Scores] {
        let own = try checked(training, tests: tests, task: task)
        return try own.controls.run(
            own.sets, columns: own.columns, task, journal, trained, progress, isInterrupted)
    }

    // The same on sets that were checked, the training data first.
    private func run(
        _ sets: [ActivationSet], columns: [[String]]?, _ task: ProbeTask, _ journal: SelectionJournal?,
        _ trained: ControlProbes, _ progress: (Control) -> Void,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [Scores] {
        let tests = sets.dropFirst()
        let tested =
            try journal.map { _ in
                try tests.map { try $0.statesHash(threads: selection.threads, isInterrupted: isInterrupted) }
            } ?? []
        return try Control.allCases.filter { $0 != .confound || columns != nil }.map { control in
            progress(control)
            let own = control == .confound ? " \(Self.hash(columns!))" : ""
            let key = "control \(control.rawValue)\(own) of \(configuration) on \(tested)"
            let counts = tests.map { $0.count * task.outputs }
            if let kept = try journal?.outputs(key, counts: counts) {
                return Scores(
                    control: control,
                    logits: zip(tests, kept).map {
                        Matrix(rows: $0.count, columns: task.outputs, storage: $1)
                    }, failure: nil)
            }
            do {
                let logits = try logits(control, sets, task, columns, trained, isInterrupted)
                if !logits.isEmpty { try journal?.add(key, outputs: logits.map(\.storage)) }
                return Scores(control: control, logits: logits, failure: nil)
            } catch let error as CancellationError {
                throw error
            } catch {
                return Scores(control: control, logits: [], failure: "\(error)")
            }
        }
    }

    private static func hash(_ columns: [[String]]) -> String {
        var hash = DataHash()
        for name in columns.joined() { hash.add(name) }
        return String(hash.value, radix: 16)
    }

    // Of the first set, which is trained on, and the others, the outputs of the others.
    private func logits(
        _ control: Control, _ sets: [ActivationSet], _ task: ProbeTask, _ columns: [[String]]?,
        _ trained: ControlProbes, _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [Matrix] {
        func scores(
            _ sets: [ActivationSet], _ number: Int = 0, _ train: (ActivationSet) throws -> Probe
        ) throws -> [Matrix] {
            let probe = try trained.probe(control, number, width: sets[0].width) { try train(sets[0]) }
            return try sets.dropFirst().map { try probe.scores($0, threads: selection.threads).logits }
        }
        func linear(_ sets: [ActivationSet]) throws -> [Matrix] {
            try scores(sets) { try linearProbe($0, task, isInterrupted) }
        }
        switch control {
        case .length: return try linear(sets.map { try $0.lengthStates() })
        case .tokenBag: return try linear(ActivationSet.tokenBags(sets))
        case .confound: return try linear(ActivationSet.columnStates(sets, columns!))
        case .tokenVectors:
            // The mean of several draws of vectors: with few sequences a single draw says little.
            return Self.means(
                try (0..<4).map { draw in
                    var own = self
                    own.selection.seed = selection.seed &+ UInt64(draw)
                    return try scores(ActivationSet.tokenVectors(sets, seed: own.selection.seed), draw) {
                        try own.probe(.attention(), $0, task, isInterrupted)
                    }
                })
        case .shuffledLabels:
            func own(_ configuration: ProbeConfiguration, _ part: Int, _ sets: [ActivationSet]) throws
                -> [Matrix]
            {
                try scores(sets, part) {
                    try probe(configuration, $0.shufflingLabels(seed: selection.seed), task, isInterrupted)
                }
            }
            guard !configuration.parts.isEmpty else { return try own(configuration, 0, sets) }
            // Of an ensemble the mean of what its parts say.
            return Self.means(
                try configuration.parts.enumerated().map { i, part in
                    try own(part, i, sets.map { $0.states(ofPart: i, of: configuration) })
                })
        case .randomDirections: return try directions(sets, task, trained, isInterrupted)
        }
    }

    // Of several draws, each of which has outputs of every set.
    private static func means(_ draws: [[Matrix]]) -> [Matrix] {
        draws[0].indices.map { set in
            let first = draws[0][set]
            let means = first.storage.indices.map { i in
                draws.reduce(0) { $0 + $1[set].storage[i] } / Float(draws.count)
            }
            return Matrix(rows: first.rows, columns: first.columns, storage: means)
        }
    }

    // A linear probe with the penalty that folds choose.
    private func linearProbe(
        _ training: ActivationSet, _ task: ProbeTask, _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> Probe {
        var grid = CandidateGrid()
        grid.kinds = [.mean]
        grid.l2 = [0.001, 0.01, 0.1, 1]
        var selection = selection
        selection.candidates = grid.candidates(for: task)
        return try selection.run(training, task: task, isInterrupted: isInterrupted).probe
    }

    private func probe(
        _ configuration: ProbeConfiguration, _ training: ActivationSet, _ task: ProbeTask,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> Probe {
        var options = TrainingOptions.suited(to: configuration.kind, task)
        (options.seed, options.threads) = (selection.seed, selection.threads)
        let fit = try Trainer(configuration, options: options).fit(
            training, task: task, isInterrupted: isInterrupted)
        guard fit.stop != .interrupted else { throw CancellationError() }
        return fit.probe
    }

    // Of each direction a scalar a sequence, with which a probe of one weight finds sign and scale.
    private func directions(
        _ sets: [ActivationSet], _ task: ProbeTask, _ trained: ControlProbes,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [Matrix] {
        let metric = selection.metric ?? .suited(to: task)
        let projected = try ActivationSet.projections(
            sets, count: 20, seed: selection.seed, threads: selection.threads)
        var best: (score: Double, probe: Probe, direction: Int)?
        for (direction, states) in projected[0].enumerated() {
            let probe = try trained.probe(.randomDirections, direction, width: 1) {
                try self.probe(.mean, states, task, isInterrupted)
            }
            let logits = try probe.scores(states, threads: selection.threads).logits
            guard let score = try metric.score(logits, states.targets(for: task), task) else { continue }
            if score > best?.score ?? -.infinity { best = (score, probe, direction) }
        }
        guard let best else { return [] }
        return try projected.dropFirst().map {
            try best.probe.scores($0[best.direction], threads: selection.threads).logits
        }
    }
}
