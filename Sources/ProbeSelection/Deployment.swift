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

extension TrainingRecord.Field<SelectionTable> {
    package static var selection: Self { Self(json: "selection") }
}

extension TrainingRecord.Field<String> {
    static var selectionMetric: Self { Self("selection_metric") }
}

extension TrainingRecord.Field<Double> {
    static var selectionScore: Self { Self("selection_score") }
}

extension TrainingRecord.Field<Int> {
    static var folds: Self { Self("folds") }
}

extension SelectionResult {
    /// The chosen probe with a calibration and a threshold from out-of-fold scores, and with the table of
    /// candidates in what it says of its training. Weights of sequences count in the calibration; the
    /// threshold is one of counts (`ThresholdRule`). Of soft labels the calibration takes the probabilities, and the
    /// threshold the classes that they are cut to.
    ///
    /// - Parameters:
    ///   - data: the sequences of the selection.
    ///   - calibration: for binary tasks; others have none.
    ///   - falsePositiveRate: the share of negatives at or above the threshold, at most (binary); nil
    ///     leaves it at 0.5.
    ///   - confidence: how sure that is.
    /// - Throws: `ThresholdRule.Fault` where negatives are too few.
    public func deployed(
        _ data: ActivationSet, calibration method: Calibration.Method = .platt,
        falsePositiveRate: Double? = nil, confidence: Double = 0.95
    ) throws -> Probe {
        var notes = TrainingRecord()
        notes[.selection] = SelectionTable(metric: metric.scoreName, folds: folds.count, candidates: rows)
        notes[.folds] = folds.count
        notes[.selectionMetric] = metric.scoreName
        notes[.selectionScore] = chosen.score
        let targets = try data.targets(for: probe.task)
        guard probe.task.isBinary, let labels = targets.hardClasses,
            let scores = chosen.outOfFold
        else {
            return probe.deployed(threshold: probe.threshold, calibration: nil, noting: notes)
        }
        let calibration = Calibration(
            method, logits: scores.storage, outcomes: targets.positives, weights: data.weights)
        let calibrated = probe.deployed(threshold: probe.threshold, calibration: calibration, noting: notes)
        guard let falsePositiveRate else { return calibrated }
        let negatives = labels.indices.filter { labels[$0] == 0 }
            .map { calibrated.probabilities(scores[row: $0])[0] }
        let (threshold, rule) = try ThresholdRule.threshold(
            falsePositiveRate: falsePositiveRate, confidence: confidence, negatives: negatives)
        notes[.thresholdRule] = rule
        return probe.deployed(threshold: threshold, calibration: calibration, noting: notes)
    }

    /// Out-of-fold scores as JSON lines, one a sequence in the order of the data: its id, fold, logits,
    /// probabilities by `probe`, and label in the form that `LabelTable` reads: the name of the class, for
    /// multilabel a list of names, for regression a list of numbers, of soft labels the probability of the positive
    /// class.
    package func outOfFoldLines(_ data: ActivationSet, by probe: Probe) throws -> [UInt8] {
        struct Row: Encodable {
            let id: String
            let fold: Int
            let logits, probabilities: [Float]
            let label: TargetLabel
        }
        guard let scores = chosen.outOfFold else { return [] }
        let targets = try data.targets(for: probe.task)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let lines = try data.indices.flatMap { index in
            let logits = Array(scores[row: index])
            let row = Row(
                id: data.id(index), fold: folds.assignment[index], logits: logits,
                probabilities: probe.probabilities(logits),
                label: TargetLabel(targets[index], probe.task.classes))
            return try Array(encoder.encode(row)) + [UInt8(ascii: "\n")]
        }
        try data.checkNothingLost(data.indices)
        return lines
    }
}

extension Targets {
    // Of each sequence how much of it is positive.
    fileprivate var positives: [Float] {
        if case .probabilities(let probabilities) = self { return probabilities }
        return (hardClasses ?? []).map { $0 == 1 ? 1 : 0 }
    }
}

// A sequence's target as a table of labels has it.
private enum TargetLabel: Encodable {
    case name(String)
    case names([String])
    case numbers([Float])
    case number(Float)

    init(_ target: Target, _ classes: [String]?) {
        switch (target, classes) {
        case (.class(let label), let classes): self = .name(classes?[label] ?? String(label))
        case (.values(let values), let classes?):
            self = .names(zip(classes, values).filter { $0.1 >= 0.5 }.map(\.0))
        case (.values(let values), nil): self = .numbers(Array(values))
        case (.probability(let probability), _): self = .number(probability)
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
