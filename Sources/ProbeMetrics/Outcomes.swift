public import Activations
public import Tensors

/// What a probe said of labelled sequences beside their labels: what metrics are computed from.
///
/// Rankings, losses and confidences are found once, when a metric first needs them, for all samples.
public struct Outcomes: Sendable {
    /// What was predicted.
    public let task: ProbeTask
    /// The labels, one a sequence. Soft ones are what they are to losses, to the Brier score and to the calibration
    /// error, and classes, cut at 0.5, to all else.
    public let targets: Targets
    /// Outputs, N×O.
    public let logits: Matrix
    /// O probabilities a sequence; empty for regression.
    public let probabilities: [[Float]]
    /// The predicted classes of each sequence: one for binary and multiclass, any number for multilabel, none for
    /// regression.
    public let predictions: [[Int]]

    enum Form {
        case classes(labels: [Int], predictions: [Int], count: Int)
        /// Of each class and sequence 1 where it is labelled or predicted, 2 where it is both.
        case classSets(marks: [[UInt8]])
        /// Of each output.
        case numbers(predictions: [[Float]], targets: [[Float]])
    }
    let form: Form
    /// Which sequences are predicted right, with several labels in every class; empty for regression.
    let isRight: [Bool]
    let losses: Lazy<[Double]>
    /// By the second class (binary) or by each class; none for regression.
    let rankings: [Lazy<ClassRanking>]
    /// Binary and multiclass.
    let confidences: Lazy<Confidences>?

    /// Outputs beside labels.
    ///
    /// - Parameters:
    ///   - calibration: how the logit of a binary probe becomes a probability; nil for its sigmoid.
    ///   - threshold: the probability from which on a class counts as present (binary, multilabel).
    /// - Precondition: a row of the task's outputs for each target, and targets of the task's form.
    package init(
        _ task: ProbeTask, _ targets: Targets, logits: Matrix, calibration: Calibration? = nil,
        threshold: Double = 0.5
    ) {
        let probabilities = (0..<logits.rows).map { row in
            calibration.map { calibration in logits[row: row].map { calibration($0) } }
                ?? task.probabilities(logits[row: row])
        }
        self.init(
            task, targets, logits: logits, calibration: calibration, probabilities: probabilities,
            predictions: probabilities.map { task.predictedClasses($0, threshold: threshold) })
    }

    /// The same where probabilities and predictions are known already.
    package init(
        _ task: ProbeTask, _ targets: Targets, logits: Matrix, calibration: Calibration?,
        probabilities: [[Float]], predictions: [[Int]]
    ) {
        precondition(targets.count == logits.rows && task.outputs == logits.columns, "outputs a target")
        let rows = 0..<logits.rows
        (self.task, self.targets, self.logits) = (task, targets, logits)
        (self.probabilities, self.predictions) = (probabilities, predictions)
        losses = Lazy {
            guard let calibration, task.isBinary else { return Loss(task).values(logits, targets) }
            return rows.map { calibration.loss(logits[$0, 0], outcome: targets[$0].probability) }
        }
        let columns = { @Sendable (o: Int) in rows.map { logits[$0, o] } }
        switch targets {
        case .classes, .probabilities:
            let labels = targets.hardClasses!
            let predicted = predictions.map { $0[0] }
            form = .classes(labels: labels, predictions: predicted, count: task.isBinary ? 2 : task.outputs)
            isRight = zip(labels, predicted).map { $0 == $1 }
            confidences = Lazy { Confidences(probabilities, predictions: predicted, targets) }
            // Several classes are ranked by their odds against all others.
            let odds = Lazy { rows.map { ClassMetrics.logOdds(Array(logits[row: $0])) } }
            rankings =
                task.isBinary
                ? [Lazy { ClassRanking(columns(0), labels.map { $0 == 1 }) }]
                : (0..<task.outputs).map { c in
                    Lazy { ClassRanking(odds().map { $0[c] }, labels.map { $0 == c }) }
                }
        case .values(let values) where task.kind == .regression:
            let outputs = Array(0..<values.columns)
            form = .numbers(
                predictions: outputs.map(columns), targets: outputs.map { o in rows.map { values[$0, o] } })
            (isRight, rankings, confidences) = ([], [], nil)
        case .values(let values):
            let labelled = (0..<task.outputs).map { c in rows.map { values[$0, c] >= 0.5 } }
            var marks = labelled.map { $0.map { UInt8($0 ? 1 : 0) } }
            for (i, predicted) in predictions.enumerated() {
                for c in predicted { marks[c][i] += 1 }
            }
            form = .classSets(marks: marks)
            isRight = rows.map { i in !marks.contains { $0[i] == 1 } }
            rankings = labelled.enumerated().map { c, labelled in
                Lazy { ClassRanking(columns(c), labelled) }
            }
            confidences = nil
        }
    }

    /// All sequences, each once.
    ///
    /// - Parameter weights: how much each counts, scikit-learn's `sample_weight`; nil for all alike.
    package func sample(weights: [Float]? = nil) -> Sample {
        Sample(self, Array(0..<targets.count), weights: weights)
    }

    /// Some sequences, several times where an index stands several times.
    ///
    /// - Parameter weights: how much each of all sequences counts; nil for all alike.
    package func sample(of indices: [Int], weights: [Float]? = nil) -> Sample {
        Sample(self, indices, weights: weights)
    }

    /// Sequences by label and prediction (binary, multiclass).
    package var confusionMatrix: ConfusionMatrix? { confusionMatrix(of: Array(0..<targets.count)) }

    /// The same of some of them.
    package func confusionMatrix(of indices: [Int]) -> ConfusionMatrix? {
        guard case .classes(let labels, let predictions, let count) = form else { return nil }
        return ConfusionMatrix(
            labels: indices.map { labels[$0] }, predictions: indices.map { predictions[$0] }, classes: count)
    }

    /// How often confidence was right (binary, multiclass); else empty.
    package var reliability: [ReliabilityBin] { confidences?().bins ?? [] }

    /// 95 % intervals of metrics; nil of a metric that some resample lacks.
    ///
    /// Resamples keep the number of each class (binary, multiclass). With several labels a sequence, as with
    /// numbers, there is no such number to keep, and sequences are drawn from all.
    package func intervals(
        _ metrics: [Metric], _ bootstrap: Bootstrap, threads: Int
    ) throws -> [ClosedRange<Double>?] {
        var strata = [Array(0..<targets.count)]
        if case .classes(let labels, _, let count) = form {
            strata = (0..<count).map { c in labels.indices.filter { labels[$0] == c } }
        }
        return try bootstrap.intervals(strata: strata, threads: threads) { resample in
            let sample = sample(of: resample)
            return metrics.map { $0(sample) }
        }
    }
}

/// Sequences by their scores of a class, and which of them are labelled with it.
struct ClassRanking: Sendable {
    let scores: [Float]
    let isLabelled: [Bool]
    let order: Ranking

    init(_ scores: [Float], _ isLabelled: [Bool]) {
        self.scores = scores
        self.isLabelled = isLabelled
        order = Ranking(scores: scores, isPositive: isLabelled)
    }
}
