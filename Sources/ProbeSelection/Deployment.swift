// What a selection's out-of-fold scores are good for: probabilities and a threshold for the chosen probe.
private import FoundationEssentials
public import Activations
public import ProbeMetrics
public import Probes
import Storage

extension Probe {
    /// How its threshold was chosen; nil where nothing is known of it.
    public var thresholdRule: ThresholdRule? {
        training[.thresholdRule]
    }
}

extension TrainingRecord.Field<ThresholdRule> {
    package static var thresholdRule: Self { Self(json: "threshold_rule") }
}

extension TrainingRecord.Field<[String]> {
    /// The files that calibration and threshold were fitted on, where these are not from out-of-fold scores.
    package static var calibrationData: Self { Self(list: "calibration_data") }
}

extension TrainingRecord.Field<SelectionTable> {
    package static var selection: Self { Self(json: "selection") }
}

extension TrainingRecord.Field<String> {
    static var selectionMetric: Self { Self("selection_metric") }
}

extension TrainingRecord.Field<Double> {
    /// The mean over folds of what was chosen, and its metric of all out-of-fold scores together, by which it was.
    static var selectionScore: Self { Self("selection_score") }
    static var selectionPooled: Self { Self("selection_pooled") }
}

extension TrainingRecord.Field<Int> {
    static var folds: Self { Self("folds") }
}

/// What some sequences got from probes that had not seen them, to fit a calibration and a threshold on.
package struct UnseenScores: Sendable {
    /// The logit of each finished sequence.
    package var logits: [Float]
    /// The largest logit of any prefix of each; nil where nobody asked.
    package var largestLogits: [Float]?
    /// 1 of positives, 0 of negatives.
    package var labels: [Int]
    package var weights: [Float]?

    package init(logits: [Float], largestLogits: [Float]? = nil, labels: [Int], weights: [Float]?) {
        (self.logits, self.largestLogits, self.labels, self.weights) = (
            logits, largestLogits, labels, weights
        )
    }
}

extension Probe {
    /// The same probe with a calibration, fitted on finished sequences, and a threshold. Weights of sequences count in
    /// the calibration; the threshold is one of counts (`ThresholdRule`). It is for prefixes where the scores have
    /// their largest.
    ///
    /// - Parameter falsePositiveRate: nil leaves the threshold at 0.5.
    /// - Throws: `ThresholdRule.Fault` where negatives are too few.
    package func deployed(
        by scores: UnseenScores, calibration method: Calibration.Method, falsePositiveRate: Double?,
        confidence: Double, noting notes: TrainingRecord
    ) throws(ThresholdRule.Fault) -> Probe {
        var record = training
        record[.thresholdRule] = nil
        record.add(notes)
        let calibration = Calibration(
            method, logits: scores.logits, isPositive: scores.labels.map { $0 == 1 }, weights: scores.weights)
        func probe(threshold: Double) -> Probe {
            Probe(
                configuration, width: width, task: task, parameters: parameters, threshold: threshold,
                calibration: calibration, training: record)
        }
        let calibrated = probe(threshold: 0.5)
        guard let falsePositiveRate else { return calibrated }
        let logits = scores.largestLogits ?? scores.logits
        let negatives = logits.indices.filter { scores.labels[$0] == 0 }
            .map { calibrated.probabilities(logits[$0...$0])[0] }
        let (threshold, rule) = try ThresholdRule.threshold(
            falsePositiveRate: falsePositiveRate, confidence: confidence, negatives: negatives,
            isStreaming: scores.largestLogits != nil)
        record[.thresholdRule] = rule
        return probe(threshold: threshold)
    }
}

extension SelectionResult {
    /// The chosen probe with a calibration and a threshold from out-of-fold scores, and with the table of
    /// candidates in what it says of its training. Weights of sequences count in the calibration; the
    /// threshold is one of counts (`ThresholdRule`), and of a selection with `isStreaming` it is for the largest
    /// probability of any prefix.
    ///
    /// - Parameters:
    ///   - data: the sequences of the selection.
    ///   - calibration: for binary tasks; others have none.
    ///   - falsePositiveRate: the fraction of negatives at or above the threshold, at most (binary); nil
    ///     leaves it at 0.5.
    ///   - confidence: how sure that is.
    /// - Throws: `ThresholdRule.Fault` where negatives are too few.
    public func deployed(
        _ data: ActivationSet, calibration method: Calibration.Method = .platt,
        falsePositiveRate: Double? = nil, confidence: Double = 0.95
    ) throws -> Probe {
        var notes = TrainingRecord()
        notes[.selection] = SelectionTable(
            metric: metric.scoreName, folds: folds.count, candidates: rows,
            layers: layers.isEmpty ? nil : layers.map(\.withoutCandidates))
        notes[.folds] = folds.count
        notes[.selectionMetric] = metric.scoreName
        notes[.selectionScore] = chosen.score
        notes[.selectionPooled] = chosen.pooled
        let targets = try data.targets(for: probe.task)
        guard probe.task.isBinary, let labels = targets.hardClasses,
            let scores = chosen.outOfFold
        else {
            return probe.deployed(threshold: probe.threshold, calibration: nil, noting: notes)
        }
        return try probe.deployed(
            by: UnseenScores(
                logits: scores.storage, largestLogits: largestLogits, labels: labels, weights: data.weights),
            calibration: method, falsePositiveRate: falsePositiveRate, confidence: confidence, noting: notes)
    }

    /// Out-of-fold scores as JSON lines, one a sequence in the order of the data: its id, fold, logits,
    /// probabilities by `probe`, and label in the form that `LabelTable` reads: the name of the class, for
    /// multilabel a list of names, for regression a list of numbers, of soft labels the probability of the class
    /// that it was in what was read.
    package func outOfFoldLines(_ data: ActivationSet, by probe: Probe) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try outOfFoldRows(data, by: probe).flatMap {
            try Array(encoder.encode($0)) + [UInt8(ascii: "\n")]
        }
    }

    /// The same as values.
    package func outOfFoldRows(_ data: ActivationSet, by probe: Probe) throws -> [OutOfFoldRow] {
        guard let scores = chosen.outOfFold else { return [] }
        let targets = try data.targets(for: probe.task)
        // What 0 and 1 would be stands in the other order there.
        let isTurned = data.isReordered || probe.task.classes == ["1", "0"]
        let rows = data.indices.map { index in
            let logits = Array(scores[row: index])
            return OutOfFoldRow(
                id: data.id(index), fold: folds.assignment[index], logits: logits,
                probabilities: probe.probabilities(logits),
                label: TargetLabel(targets[index], probe.task.classes, isTurned: isTurned))
        }
        try data.checkNothingLost(data.indices)
        return rows
    }
}

/// What a sequence was given by a probe that did not see its fold.
package struct OutOfFoldRow: Encodable, Sendable {
    let id: String
    let fold: Int
    let logits, probabilities: [Float]
    let label: TargetLabel
}

extension Targets {
    // Of each sequence how much of it is positive.
    fileprivate var positives: [Float] {
        if case .probabilities(let probabilities) = self { return probabilities }
        return (hardClasses ?? []).map { $0 == 1 ? 1 : 0 }
    }
}

// A sequence's target as a table of labels has it.
enum TargetLabel: Encodable {
    case name(String)
    case names([String])
    case numbers([Float])
    case number(Float)

    init(_ target: Target, _ classes: [String]?, isTurned: Bool) {
        switch (target, classes) {
        case (.class(let label), let classes): self = .name(classes?[label] ?? String(label))
        case (.values(let values), let classes?):
            self = .names(zip(classes, values).filter { $0.1 >= 0.5 }.map(\.0))
        case (.values(let values), nil): self = .numbers(Array(values))
        case (.probability(let probability), _): self = .number(isTurned ? 1 - probability : probability)
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .name(let name): try name.encode(to: encoder)
        case .names(let names): try names.encode(to: encoder)
        case .numbers(let numbers): try numbers.encode(to: encoder)
        case .number(let number): try number.encode(to: encoder)
        }
    }
}
