package import Activations
import ProbeMetrics
public import ProbeTraining
package import Tensors
import Probes

/// What cross-validation found of one candidate, or of an ensemble of several.
public struct SelectionEntry: Sendable {
    /// The candidate; of an ensemble the configuration is `ensemble`, and the options are those of its first part.
    public let candidate: Candidate
    /// Seeds that were averaged.
    package let replicates: Int
    /// The metric of each fold; nil where it is not defined or training failed.
    public let folds: [Double?]
    /// The mean of the folds; nil where one has none.
    public let score: Double?
    /// The metric of all sequences together, each by a probe that did not see its fold; nil where it is not defined or
    /// training failed. Where only the order of outputs counts, those of each fold are standardised first. This is what
    /// candidates are compared by, as it compares sequences of all folds.
    package let pooled: Double?
    /// Seconds of training on one thread, all folds and seeds.
    package let seconds: Double
    /// Whether every training came to its end.
    package let converged: Bool
    /// The error that ended a training; nil without.
    public let failure: String?
    /// Outputs of every sequence by a probe that did not see its fold, N×O; nil where training failed.
    package let outOfFold: Matrix?
    /// What an ensemble is made of; none for a candidate.
    package let parts: [SelectionPart]
    /// What an ensemble adds to its outputs, O; none for a candidate.
    package let bias: [Float]
    /// Outputs that the metrics are of, N×O; nil where training failed.
    let judged: Matrix?
    /// Whether it was chosen.
    public internal(set) var isChosen = false
    /// Of a selection over layers the layer that it reads, or the layers of its parts; else nil.
    package internal(set) var layers: LayerRecord?

    /// "attention, 8 heads, adamw, l2 0.01, average of 4"; of an ensemble the names of its parts; of a selection over
    /// layers with the layer before it.
    public var name: String {
        (isAcrossLayers ? "" : layers.map { "\($0): " } ?? "") + nameInLayer
    }

    /// The same without the layer.
    var nameInLayer: String {
        guard parts.isEmpty else {
            return "ensemble of " + parts.map(\.entry.name).joined(separator: " + ")
        }
        return candidate.name + (replicates > 1 ? ", average of \(replicates)" : "")
    }

    /// Whether it is an ensemble whose parts read different layers.
    var isAcrossLayers: Bool { parts.contains { $0.entry.layers != nil } }

    /// The candidates of which it is made: the parts of an ensemble, else itself.
    var members: [SelectionEntry] { parts.isEmpty ? [self] : parts.map(\.entry) }

    /// The probe that it stands for.
    ///
    /// - Parameter trained: probes of a member, one a seed; asked for in the order of `members`.
    func probe(_ trained: (SelectionEntry) throws -> [Probe]) rethrows -> Probe {
        let probes = try members.map { member in
            let seeds = try trained(member)
            return seeds.count > 1 ? Probe.average(seeds) : seeds[0]
        }
        guard !parts.isEmpty else { return probes[0] }
        let ensemble = Probe.ensemble(
            probes, weights: parts.map(\.weight), shifts: parts.map(\.shifts), scales: parts.map(\.scales),
            bias: bias, layers: candidate.configuration.partLayers)
        guard isAcrossLayers, let layers else { return ensemble }
        return ensemble.deployed(threshold: 0.5, calibration: nil, noting: TrainingRecord(layers.metadata))
    }

    /// Whether the mean over folds of what another has more is at most so many of its standard errors.
    func isWithin(_ errors: Double, of best: SelectionEntry) -> Bool {
        let deficits = zip(best.folds, folds).map { $0! - $1! }
        let mean = deficits.reduce(0, +) / Double(deficits.count)
        let squares = deficits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let count = Double(deficits.count)
        return mean <= errors * (squares / (count - 1) / count).squareRoot()
    }

    /// Whether another has more, all sequences together; one without a metric is worse than one with it.
    func isWorse(than other: SelectionEntry) -> Bool {
        (pooled ?? -.infinity) < (other.pooled ?? -.infinity)
    }

    init(
        _ candidate: Candidate, _ folds: Folds, _ replicates: Int, _ metric: Metric,
        _ targets: Targets, _ task: ProbeTask, weights: [Float]?,
        result: (_ fold: Int, _ replicate: Int) throws -> TrialResult
    ) rethrows {
        var outOfFold = Matrix(rows: folds.assignment.count, columns: task.outputs)
        var (seconds, converged, failure) = (0.0, true, String?.none)
        for fold in 0..<folds.count {
            let trials = try (0..<replicates).map { try result(fold, $0) }
            seconds += trials.reduce(0) { $0 + $1.seconds }
            converged = converged && trials.allSatisfy(\.converged)
            failure = failure ?? trials.lazy.compactMap(\.failure).first
            guard failure == nil else { continue }
            for (i, row) in folds.heldOut(fold).enumerated() {
                for o in 0..<task.outputs {
                    let sum = trials.reduce(Float(0)) { $0 + $1.logits[i * task.outputs + o] }
                    outOfFold[row, o] = sum / Float(replicates)
                }
            }
        }
        let judged = failure == nil ? metric.score(outOfFold, folds, targets, task, weights: weights) : nil
        self.candidate = candidate
        self.replicates = replicates
        self.folds = judged?.folds ?? (0..<folds.count).map { _ in nil }
        score = judged?.mean
        pooled = judged?.pooled
        self.seconds = seconds
        self.converged = converged
        self.failure = failure
        self.outOfFold = failure == nil ? outOfFold : nil
        self.judged = self.outOfFold
        (parts, bias) = ([], [])
    }

    /// An ensemble.
    ///
    /// - Parameters:
    ///   - parts: of several layers in their order.
    ///   - unseen: what it is judged by: outputs, N×O, where not even the weights have seen the fold.
    init(
        _ parts: [SelectionPart], bias: [Float], unseen: Matrix, _ folds: Folds, _ metric: Metric,
        _ targets: Targets, _ task: ProbeTask, weights: [Float]?
    ) {
        let judged = metric.score(unseen, folds, targets, task, weights: weights)
        // As the ensemble of the parts of each fold has them.
        var outOfFold = Matrix(rows: unseen.rows, columns: unseen.columns)
        for row in 0..<unseen.rows {
            for o in 0..<unseen.columns {
                outOfFold[row, o] = parts.reduce(bias[o]) { sum, part in
                    sum + part.weight / part.scales[o] * (part.entry.outOfFold![row, o] - part.shifts[o])
                }
            }
        }
        layers = .union(parts.compactMap(\.entry.layers))
        let numbers = layers?.numbers ?? []
        candidate = Candidate(
            .ensemble(
                parts.map(\.entry.averagedConfiguration),
                layers: parts.compactMap { part in
                    part.entry.layers.map { numbers.firstIndex(of: $0.numbers[0])! }
                }), parts[0].entry.candidate.options)
        (replicates, self.parts, self.bias, self.outOfFold) = (1, parts, bias, outOfFold)
        (self.folds, score, pooled) = (judged.folds, judged.mean, judged.pooled)
        self.judged = unseen
        seconds = parts.reduce(0) { $0 + $1.entry.seconds }
        converged = parts.allSatisfy(\.entry.converged)
        failure = nil
    }

    /// Whether two stand for the same candidate, of whatever number of seeds.
    func isSame(as other: SelectionEntry) -> Bool {
        candidate == other.candidate && layers == other.layers
    }

    // That of the average of its seeds.
    private var averagedConfiguration: ProbeConfiguration {
        var configuration = candidate.configuration
        if replicates > 1 { configuration.heads *= replicates }
        return configuration
    }
}
