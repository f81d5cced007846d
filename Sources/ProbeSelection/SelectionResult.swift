public import ProbeTraining
private import FoundationEssentials
public import Tensors
public import Activations
public import ProbeMetrics
public import Probes

/// What cross-validation found of one candidate.
public struct SelectionEntry: Sendable {
    /// The candidate.
    public let candidate: Candidate
    /// Seeds that were averaged.
    public let replicates: Int
    /// The metric of each fold; nil where it is not defined or training failed.
    public let folds: [Double?]
    /// The mean of the folds; nil where one has none.
    public let score: Double?
    /// Seconds of training on one thread, all folds and seeds.
    public let seconds: Double
    /// Whether every training came to its end.
    public let converged: Bool
    /// The error that ended a training; nil without.
    public let failure: String?
    /// Outputs of every sequence by a probe that did not see its fold, N×O; nil where training failed.
    public let outOfFold: Matrix?
    /// Whether it was chosen.
    public internal(set) var isChosen = false

    /// "attention, 8 heads, adamw, l2 0.01, average of 4".
    public var name: String {
        candidate.name + (replicates > 1 ? ", average of \(replicates)" : "")
    }

    /// Whether the mean over folds of what another has more is at most its standard error.
    func isWithinOneError(of best: SelectionEntry) -> Bool {
        let deficits = zip(best.folds, folds).map { $0! - $1! }
        let mean = deficits.reduce(0, +) / Double(deficits.count)
        let squares = deficits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let count = Double(deficits.count)
        return mean <= (squares / (count - 1) / count).squareRoot()
    }

    init(
        _ candidate: Candidate, _ folds: Folds, _ replicates: Int, _ metric: Metric,
        _ targets: Targets, _ task: ProbeTask, weights: [Float]?,
        result: (_ fold: Int, _ replicate: Int) throws -> TrialResult
    ) rethrows {
        var outOfFold = Matrix(rows: folds.assignment.count, columns: task.outputs)
        var scores: [Double?] = []
        var (seconds, converged, failure) = (0.0, true, String?.none)
        for fold in 0..<folds.count {
            let trials = try (0..<replicates).map { try result(fold, $0) }
            seconds += trials.reduce(0) { $0 + $1.seconds }
            converged = converged && trials.allSatisfy(\.converged)
            failure = failure ?? trials.lazy.compactMap(\.failure).first
            guard failure == nil else {
                scores.append(nil)
                continue
            }
            let rows = folds.heldOut(fold)
            var logits = Matrix(rows: rows.count, columns: task.outputs)
            for (i, row) in rows.enumerated() {
                for o in 0..<task.outputs {
                    let sum = trials.reduce(Float(0)) { $0 + $1.logits[i * task.outputs + o] }
                    logits[i, o] = sum / Float(replicates)
                    outOfFold[row, o] = logits[i, o]
                }
            }
            scores.append(
                metric.score(
                    logits, targets.selecting(rows), task,
                    weights: weights.map { all in rows.map { all[$0] } }))
        }
        self.candidate = candidate
        self.replicates = replicates
        self.folds = scores
        score = scores.contains(nil) ? nil : mean(scores.compactMap(\.self))
        self.seconds = seconds
        self.converged = converged
        self.failure = failure
        self.outOfFold = failure == nil ? outOfFold : nil
    }
}

/// The chosen probe and how it was chosen.
public struct SelectionResult: Sendable {
    /// The chosen candidate, trained on all sequences.
    public let probe: Probe
    /// All candidates, in the order given.
    public let entries: [SelectionEntry]
    /// What they were compared by.
    public let metric: Metric
    /// The fold of each sequence.
    public let folds: Folds
    /// Of each sequence the largest logit of any prefix, by the probe that did not see its fold; nil where the selection
    /// is not `isStreaming`.
    package let largestLogits: [Float]?

    let journal: SelectionJournal

    /// Removes the file that keeps trainings: call it when the probe is where it should be. Where an
    /// earlier run left trainings that were of no use to this one, it stays as that left it.
    ///
    /// - Returns: how many of those there are.
    @discardableResult public func removeJournal() -> Int { journal.remove() }

    /// The chosen candidate.
    public var chosen: SelectionEntry { entries.first(where: \.isChosen)! }

    /// A candidate in JSON. What may be absent in a file of another program is nil there.
    public struct Row: Codable, Sendable, Equatable {
        /// "attention, 8 heads, l2 0.1".
        public let name: String
        /// The mean, the least and the greatest of the folds.
        public let score, low, high: Double?
        /// The metric of each fold.
        public let folds: [Double?]?
        /// Seconds of training on one thread.
        public let seconds: Double?
        /// Whether every training came to its end, and whether the candidate was chosen.
        public let converged, chosen: Bool?
        /// The error that ended a training; nil without.
        public let failure: String?

        init(_ entry: SelectionEntry) {
            let scores = entry.folds.compactMap(\.self)
            (name, folds, seconds) = (entry.name, entry.folds, entry.seconds)
            (score, low, high) = (entry.score, scores.min(), scores.max())
            (converged, chosen, failure) = (entry.converged, entry.isChosen, entry.failure)
        }
    }

    /// The candidates, in the order given.
    public var rows: [Row] { entries.map(Row.init) }
}

/// The candidates of a selection, as a probe file holds them.
package struct SelectionTable: Codable, Sendable {
    package let metric: String
    package let folds: Int?
    package let candidates: [SelectionResult.Row]
}
