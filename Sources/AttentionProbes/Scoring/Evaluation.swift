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
    /// Mean loss of the task, as in training (binary, multiclass: log loss in nats).
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
    /// 95 % confidence intervals of figures by their names in JSON (all but multilabel); empty without a
    /// bootstrap.
    public let intervals: [String: ClosedRange<Double>]
    /// Figures of the short, middle and long sequences (binary, multiclass); else empty.
    public let byLength: [LengthFigures]
    /// Figures of the second class (binary) or of each class (multiclass, multilabel); else empty. In
    /// JSON where there are several.
    public let byClass: [ClassFigures]
    /// Confidence and how often it was right (binary: of the second class; multiclass: of the
    /// predicted one); else empty. Not in JSON.
    public let reliability: [ReliabilityBin]

    private enum CodingKeys: String, CodingKey {
        case task, sequences, tokens, loss, accuracy, auroc, f1, r2, threshold, intervals
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
    /// - Throws: `DataError` where there are no labels, or labels, classes or width do not fit the
    ///   probe, or a hidden state is not finite.
    public func evaluate(
        _ data: ActivationSet, threads: Int = Parallel.availableThreads, bootstrap: Bootstrap? = nil,
        progress: (Range<Int>) -> Void = { _ in }
    ) throws -> Evaluation {
        _ = try data.targets(for: task)
        var parts: [Scores] = []
        try ProbeSet([self]).forEachScores(data, threads: threads) { scores in
            parts += scores
            progress(scores[0].range)
        }
        return try evaluate(data, Scores(joining: parts), threads: threads, bootstrap: bootstrap)
    }

    /// Compares the scores of all sequences of a labelled set with their labels.
    func evaluate(
        _ data: ActivationSet, _ scores: Scores, threads: Int, bootstrap: Bootstrap?
    ) throws -> Evaluation {
        let targets = try data.targets(for: task)
        let logits = data.indices.map { Array(scores.logits[row: $0]) }
        let probabilities = logits.map { self.probabilities($0) }
        let predictions = probabilities.map { task.predictedClasses($0, threshold: threshold) }
        var unused: [Float] = []
        let loss = data.indices.reduce(0.0) { $0 + Loss(task)(logits[$1], targets[$1], gradient: &unused) }

        var confusion: ConfusionMatrix?
        var byClass: [ClassFigures] = []
        var reliability: [ReliabilityBin] = []
        var (accuracy, f1, r2, error): (Double?, Double?, Double?, Double?)
        var (brier, calibration): (Double?, Double?)
        switch (task, targets) {
        case (.binary, .classes(let labels)):
            let matrix = ConfusionMatrix(labels: labels, predictions: predictions.map { $0[0] }, classes: 2)
            (confusion, accuracy, f1) = (matrix, matrix.accuracy, matrix.f1(1))
            let isPositive = labels.map { $0 == 1 }
            byClass = [
                ClassFigures(
                    name: task.classes![1], scores: logits.map { $0[0] }, isLabelled: isPositive,
                    isPredicted: predictions.map { $0[0] == 1 })
            ]
            brier = AttentionProbes.brierScore(probabilities, labels)
            calibration = AttentionProbes.expectedCalibrationError(probabilities.map { $0[0] }, isPositive)
            reliability = ReliabilityBin.bins(probabilities.map { $0[0] }, isPositive)
        case (.multiclass(let classes), .classes(let labels)):
            let matrix = ConfusionMatrix(
                labels: labels, predictions: predictions.map { $0[0] }, classes: classes.count)
            (confusion, accuracy, f1) = (matrix, matrix.accuracy, matrix.macroF1)
            brier = AttentionProbes.brierScore(probabilities, labels)
            let odds = logits.map(ClassFigures.logOdds)
            byClass = try Parallel.map(count: classes.count, threads: threads) { c in
                ClassFigures(
                    name: classes[c], scores: odds.map { $0[c] }, isLabelled: labels.map { $0 == c },
                    isPredicted: predictions.map { $0[0] == c })
            }
            let confidences = probabilities.map { $0.max() ?? 0 }
            let isRight = zip(predictions, labels).map { $0[0] == $1 }
            calibration = AttentionProbes.expectedCalibrationError(confidences, isRight)
            reliability = ReliabilityBin.bins(confidences, isRight)
        case (.multilabel(let classes), .values(let values)):
            byClass = try Parallel.map(count: classes.count, threads: threads) { c in
                ClassFigures(
                    name: classes[c], scores: logits.map { $0[c] },
                    isLabelled: data.indices.map { values[$0, c] >= 0.5 },
                    isPredicted: predictions.map { $0.contains(c) })
            }
            let right = data.indices.filter { i in
                classes.indices.allSatisfy { byClass[$0].isLabelled[i] == predictions[i].contains($0) }
            }
            accuracy = Double(right.count) / Double(data.count)
            f1 = mean(byClass.map(\.f1))
        case (.regression(let outputs), .values(let values)):
            r2 = mean(
                (0..<outputs).compactMap { o in
                    r2Score(logits.map { $0[o] }, data.indices.map { values[$0, o] })
                })
            error = AttentionProbes.meanSquaredError(scores.logits.storage, values.storage)
        default: preconditionFailure("targets were checked against the task")
        }
        let isBinary = task.isBinary
        let curve = isBinary ? byClass[0].ranking : nil
        var intervals: [String: ClosedRange<Double>] = [:]
        var byLength: [LengthFigures] = []
        if let confusion, case .classes(let labels) = targets {
            let classes = predictions.map { $0[0] }
            let positiveScores = isBinary ? logits.map { $0[0] } : nil
            byLength = LengthFigures.thirds(
                lengths: data.indices.map { data[$0].count }, labels: labels, predictions: classes,
                scores: positiveScores)
            intervals =
                try bootstrap?.intervals(
                    labels: labels, predictions: classes, classes: confusion.counts.count,
                    scores: positiveScores, threads: threads) ?? [:]
        } else if case .regression(let outputs) = task, case .values(let values) = targets, let bootstrap {
            let found = try bootstrap.intervals(strata: [Array(data.indices)], threads: threads) { draw in
                let predicted = (0..<outputs).map { o in draw.map { logits[$0][o] } }
                let wanted = (0..<outputs).map { o in draw.map { values[$0, o] } }
                return [
                    mean(zip(predicted, wanted).compactMap { r2Score($0, $1) }),
                    AttentionProbes.meanSquaredError(
                        Array(predicted.joined()), Array(wanted.joined())),
                ]
            }
            intervals["r2"] = found[0]
            intervals["mean_squared_error"] = found[1]
        }
        return Evaluation(
            task: task.name, sequences: data.count, tokens: data.tokenCount, loss: loss / Double(data.count),
            accuracy: accuracy, balancedAccuracy: confusion?.balancedAccuracy,
            auroc: mean(byClass.compactMap(\.auroc)),
            averagePrecision: mean(byClass.compactMap(\.averagePrecision)), f1: f1,
            recallAt01FPR: curve?.recall(atFalsePositiveRate: 0.001),
            recallAt1FPR: curve?.recall(atFalsePositiveRate: 0.01),
            recallAt5FPR: curve?.recall(atFalsePositiveRate: 0.05),
            brierScore: brier, expectedCalibrationError: calibration, r2: r2,
            meanSquaredError: error, confusionMatrix: confusion, entropyRatio: entropyRatios(scores, data),
            threshold: task.hasThreshold ? threshold : nil, intervals: intervals,
            byLength: byLength, byClass: byClass, reliability: reliability)
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
