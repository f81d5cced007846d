private import Foundation
public import Tensors

/// A probe's figures on labelled sequences. Those that a task does not have are nil.
public struct Evaluation: Sendable, Encodable {
    /// What the probe predicts.
    public let task: String
    /// N.
    public let sequences: Int
    /// T.
    public let tokens: Int
    /// Mean loss of the task, as in training (binary, multiclass: log loss in nats); of a calibrated probe the log
    /// loss of its probabilities (`Calibration.loss`).
    public let loss: Double
    /// The share of sequences predicted right; for multilabel, in every class.
    public let accuracy: Double?
    /// Mean over classes of the share predicted right (binary, multiclass).
    public let balancedAccuracy: Double?
    /// Area under the ROC curve: binary; multiclass (each class against all others) and multilabel, the
    /// mean over classes that have both labels.
    public let auroc: Double?
    /// Average precision; likewise.
    public let averagePrecision: Double?
    /// F1 of the second class (binary), mean over classes (multiclass, multilabel).
    public let f1: Double?
    /// Highest recall with at most 0.1 %, 1 % and 5 % false positives (binary).
    public let recallAt01FPR, recallAt1FPR, recallAt5FPR: Double?
    /// Mean squared difference of probabilities and outcomes (binary, multiclass).
    public let brierScore: Double?
    /// Mean difference of confidence and accuracy over ten bins (binary, multiclass).
    public let expectedCalibrationError: Double?
    /// Coefficient of determination, mean over outputs that vary (regression).
    public let r2: Double?
    /// Mean squared error over all outputs (regression).
    public let meanSquaredError: Double?
    /// Sequences by label and prediction (binary, multiclass).
    public let confusionMatrix: ConfusionMatrix?
    /// For each head, the mean entropy of attention over that of uniform attention (softmax).
    public let entropyRatio: [Double]?
    /// The probability from which on a class counts as present (binary, multilabel).
    public let threshold: Double?
    /// 95 % confidence intervals of figures by their names in JSON; empty without a bootstrap.
    public let intervals: [String: ClosedRange<Double>]
    /// Figures of the short, middle and long sequences.
    public let byLength: [LengthFigures]
    /// Figures of the second class (binary) or of each class (multiclass, multilabel); else empty. In
    /// JSON where there are several.
    public let byClass: [ClassFigures]
    /// Confidence and how often it was right (binary: of the second class; multiclass: of the
    /// predicted one); else empty. Not in JSON.
    public let reliability: [ReliabilityBin]

    private enum CodingKeys: String, CodingKey {
        case task, sequences, tokens, loss, accuracy, auroc, f1, r2, threshold, positive, intervals
        case averagePrecision = "average_precision"
        case byLength = "by_length"
        case byClass = "by_class"
        case balancedAccuracy = "balanced_accuracy"
        case recallAt01FPR = "recall_at_0_1_fpr"
        case recallAt1FPR = "recall_at_1_fpr"
        case recallAt5FPR = "recall_at_5_fpr"
        case brierScore = "brier_score"
        case expectedCalibrationError = "expected_calibration_error"
        case meanSquaredError = "mean_squared_error"
        case confusionMatrix = "confusion_matrix"
        case entropyRatio = "entropy_ratio"
    }

    /// Encodes the figures that the task has, and for a binary task those of its ranking in any case:
    /// null where the sequences are all of one class.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(task, forKey: .task)
        try container.encode(sequences, forKey: .sequences)
        try container.encode(tokens, forKey: .tokens)
        try container.encode(loss, forKey: .loss)
        let ranking: [(CodingKeys, Double?)] = [
            (.auroc, auroc), (.averagePrecision, averagePrecision), (.recallAt01FPR, recallAt01FPR),
            (.recallAt1FPR, recallAt1FPR), (.recallAt5FPR, recallAt5FPR),
        ]
        for (key, value) in ranking where value != nil || task == "binary" {
            try container.encode(value, forKey: key)
        }
        try container.encodeIfPresent(accuracy, forKey: .accuracy)
        try container.encodeIfPresent(balancedAccuracy, forKey: .balancedAccuracy)
        try container.encodeIfPresent(f1, forKey: .f1)
        try container.encodeIfPresent(brierScore, forKey: .brierScore)
        try container.encodeIfPresent(expectedCalibrationError, forKey: .expectedCalibrationError)
        try container.encodeIfPresent(r2, forKey: .r2)
        try container.encodeIfPresent(meanSquaredError, forKey: .meanSquaredError)
        try container.encodeIfPresent(confusionMatrix, forKey: .confusionMatrix)
        try container.encodeIfPresent(entropyRatio, forKey: .entropyRatio)
        try container.encodeIfPresent(threshold, forKey: .threshold)
        try container.encodeIfPresent(task == "binary" ? byClass.first?.name : nil, forKey: .positive)
        if byClass.count > 1 { try container.encode(byClass, forKey: .byClass) }
        if !byLength.isEmpty { try container.encode(byLength, forKey: .byLength) }
        if !intervals.isEmpty {
            try container.encode(
                intervals.mapValues { [$0.lowerBound, $0.upperBound] }, forKey: .intervals)
        }
    }
}

extension Probe {
    /// Scores labelled sequences and compares.
    ///
    /// - Parameters:
    ///   - bootstrap: how to find confidence intervals; nil for none.
    ///   - progress: is told the sequences of each chunk when they are scored.
    /// - Throws: `DataError` where there are no labels or sequences, or labels, classes or width do not fit
    ///   the probe, a hidden state is not finite, or a file has become shorter.
    public func evaluate(
        _ data: ActivationSet, threads: Int = Parallel.availableThreads, bootstrap: Bootstrap? = nil,
        progress: (Range<Int>) -> Void = { _ in }
    ) throws -> Evaluation {
        let data = try labelled(data)
        var parts: [Scores] = []
        try ProbeSet([self]).forEachScores(data, threads: threads) { scores in
            parts += scores
            progress(scores[0].range)
        }
        return try evaluate(data, Scores(joining: parts), threads: threads, bootstrap: bootstrap)
    }

    /// Compares the scores of all sequences of a labelled set with their labels, which are as the task has them.
    func evaluate(
        _ data: ActivationSet, _ scores: Scores, threads: Int, bootstrap: Bootstrap?
    ) throws -> Evaluation {
        let targets = try data.targets(for: task)
        let logits = data.indices.map { Array(scores.logits[row: $0]) }
        let probabilities = logits.map { self.probabilities($0) }
        let predictions = probabilities.map { task.predictedClasses($0, threshold: threshold) }
        let losses = data.indices.map { loss(logits[$0], targets[$0]) }

        var confusion: ConfusionMatrix?
        var byClass: [ClassFigures] = []
        var confidences: Confidences?
        switch (task, targets) {
        case (.binary, .classes(let labels)):
            confusion = ConfusionMatrix(labels: labels, predictions: predictions.map { $0[0] }, classes: 2)
            byClass = [
                ClassFigures(
                    name: task.classes![1], scores: logits.map { $0[0] }, isLabelled: labels.map { $0 == 1 },
                    isPredicted: predictions.map { $0[0] == 1 })
            ]
            confidences = Confidences(probabilities, predictions: predictions.map { $0[0] }, labels: labels)
        case (.multiclass(let classes), .classes(let labels)):
            confusion = ConfusionMatrix(
                labels: labels, predictions: predictions.map { $0[0] }, classes: classes.count)
            confidences = Confidences(probabilities, predictions: predictions.map { $0[0] }, labels: labels)
            let odds = logits.map(ClassFigures.logOdds)
            byClass = try Parallel.map(count: classes.count, threads: threads) { c in
                ClassFigures(
                    name: classes[c], scores: odds.map { $0[c] }, isLabelled: labels.map { $0 == c },
                    isPredicted: predictions.map { $0[0] == c })
            }
        case (.multilabel(let classes), .values(let values)):
            byClass = try Parallel.map(count: classes.count, threads: threads) { c in
                ClassFigures(
                    name: classes[c], scores: logits.map { $0[c] },
                    isLabelled: data.indices.map { values[$0, c] >= 0.5 },
                    isPredicted: predictions.map { $0.contains(c) })
            }
        case (.regression, .values): break
        default: preconditionFailure("targets were checked against the task")
        }
        let sample = SampleFigures(
            task, losses: losses, targets: targets, predictions: predictions, logits: logits,
            classes: byClass, confidences: confidences)
        let figures = sample(Array(data.indices))
        return Evaluation(
            task: task.name, sequences: data.count, tokens: data.tokenCount, loss: figures["loss"]!,
            accuracy: figures["accuracy"], balancedAccuracy: figures["balanced_accuracy"],
            auroc: figures["auroc"], averagePrecision: figures["average_precision"], f1: figures["f1"],
            recallAt01FPR: figures["recall_at_0_1_fpr"],
            recallAt1FPR: figures["recall_at_1_fpr"],
            recallAt5FPR: figures["recall_at_5_fpr"], brierScore: figures["brier_score"],
            expectedCalibrationError: figures["expected_calibration_error"], r2: figures["r2"],
            meanSquaredError: figures["mean_squared_error"], confusionMatrix: confusion,
            entropyRatio: entropyRatios(scores, data),
            threshold: task.hasThreshold ? threshold : nil,
            intervals: try bootstrap.map { try sample.intervals($0, threads: threads) } ?? [:],
            byLength: LengthFigures.thirds(lengths: data.indices.map { data[$0].count }, sample),
            byClass: byClass, reliability: confidences?.bins ?? [])
    }

    // Of one sequence.
    private func loss(_ logits: [Float], _ target: Target) -> Double {
        if let calibration, case .class(let label) = target {
            return calibration.loss(logits[0], isPositive: label == 1)
        }
        var unused: [Float] = []
        return Loss(task)(logits, target, gradient: &unused)
    }

    /// For each head, the entropy of its attention; nil without softmax attention.
    func entropyRatios(_ scores: Scores, _ data: ActivationSet) -> [Double]? {
        guard let entropies = scores.entropies else { return nil }
        let tokens = data.indices.map { data[$0].count }
        let ratios = (0..<entropies.columns).map { h in
            entropyRatio(data.indices.map { entropies[$0, h] }, tokens: tokens)
        }
        return ratios.contains(nil) ? nil : ratios.compactMap(\.self)
    }
}
