import FoundationEssentials
import Storage
import Tensors
import Activations
import ProbeTraining
import Probes

/// One training of a cross-validation: a candidate, the fold that it does not see, and which of its
/// seeds it has.
struct Trial: Hashable, Codable, Sendable {
    let candidate, fold, replicate: Int
}

/// What came of a trial.
struct TrialResult: Codable, Sendable {
    /// Outputs of the fold's sequences, n×O, row after row; empty where training failed.
    var logits: [Float] = []
    /// Seconds it took on one thread.
    var seconds = 0.0
    /// Whether the optimiser came to its end: false where L-BFGS did not converge, or a loss rose.
    var converged = true
    /// The error that ended it; nil without.
    var failure: String?
    /// Where the next training on its path of penalties starts; nil where it is on none, or failed.
    var end: [Float]?
    /// The probe's parameters; nil where training failed, or nobody asked for them.
    var parameters: [Float]?
}

/// Trains candidates on all folds but one and scores that one, side by side over threads. Each training has one thread, or
/// its share of them where there are more threads than trainings.
struct CrossValidation: Sendable {
    let data: ActivationSet
    let task: ProbeTask
    let folds: Folds
    let candidates: [Candidate]
    let seed: UInt64
    let threads: Int
    let keepsParameters: Bool
    // Pooled once for all folds.
    private let pooled: [Pooling: ActivationSet]

    /// - Throws: `DataError` where a hidden state is not finite.
    init(
        _ data: ActivationSet, _ task: ProbeTask, _ folds: Folds, _ candidates: [Candidate], seed: UInt64,
        threads: Int, keepsParameters: Bool
    ) throws {
        // A quarter of what there is, so that the trainings still have room.
        let room = AvailableMemory.now().map { $0.bytes / 4 } ?? .max
        let data = try data.widened(atMost: min(1 << 30, room), threads: threads)
        self.data = data
        self.task = task
        self.folds = folds
        self.candidates = candidates
        self.seed = seed
        self.threads = threads
        self.keepsParameters = keepsParameters
        pooled = try Set(candidates.compactMap(\.pooling)).reduce(into: [:]) {
            $0[$1] = try data.pooled($1, threads: threads)
        }
    }

    /// Runs trials and tells `done` of each as it ends, from any thread.
    ///
    /// Trials that lie on a path of penalties are trained one from the other within their fold, the
    /// strongest penalty first.
    ///
    /// - Throws: `CancellationError` when interrupted; an error of `done`.
    func run(
        _ paths: [TrialPaths.Open], isInterrupted: @escaping @Sendable () -> Bool,
        done: @Sendable (Trial, TrialResult) throws -> Void
    ) throws {
        let own = max(1, threads / max(1, paths.count))
        _ = try Parallel.map(count: paths.count, threads: threads) { index in
            var start = paths[index].start
            for trial in paths[index].trials {
                if isInterrupted() { throw CancellationError() }
                var (result, end) = try self.result(trial, from: start, threads: own, isInterrupted)
                start = paths[index].isPath ? end : nil
                result.end = start
                try done(trial, result)
            }
        }
    }

    private func result(
        _ trial: Trial, from start: [Float]?, threads: Int, _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> (TrialResult, end: [Float]?) {
        let candidate = candidates[trial.candidate]
        let source = candidate.pooling.flatMap { pooled[$0] } ?? data
        let began = Date()
        var result = TrialResult()
        do {
            let fit = try Trainer(
                candidate.configuration,
                options: candidate.options(seed: seed, trial.replicate, threads: threads)
            ).fit(
                source.selecting(folds.training(trial.fold)), task: task, start: start,
                isInterrupted: isInterrupted)
            guard fit.stop != .interrupted else { throw CancellationError() }
            result.logits = try fit.probe.scores(
                source.selecting(folds.heldOut(trial.fold)), threads: threads
            )
            .logits.storage
            result.parameters = keepsParameters ? fit.probe.parameters : nil
            result.converged =
                fit.stop != .unconverged && (fit.history.last?.loss ?? 0) <= (fit.history.first?.loss ?? 0)
            result.seconds = Date().timeIntervalSince(began)
            return (result, fit.standardized)
        } catch let error as DataError where error.rule == .overflow {
            result.failure = "\(error)"
            result.converged = false
            result.seconds = Date().timeIntervalSince(began)
            return (result, nil)
        }
    }
}

extension Candidate {
    /// Its options with the seed of one of its replicates.
    func options(seed: UInt64, _ replicate: Int, threads: Int) -> TrainingOptions {
        var options = options
        options.seed = seed &+ UInt64(replicate)
        options.threads = threads
        return options
    }
}
