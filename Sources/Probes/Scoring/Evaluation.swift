public import Tensors
public import Activations
public import ProbeMetrics

/// A probe's metrics on labelled sequences. Those that a task does not have are nil.
public struct Evaluation: Sendable, Encodable {
    /// What the probe predicts.
    public let task: ProbeTask.Kind
    /// N.
    public let sequences: Int
    /// T; 0 where scores were judged without the hidden states that they are of.
    public let tokens: Int
    /// The metrics that the task has and the sequences define, in the order in which they were asked for.
    public let metrics: [MetricValue]
    /// The metrics that the task has and the sequences do not define, as an area where all are of one class.
    package let undefined: [Metric]
    /// Sequences by label and prediction (binary, multiclass).
    public let confusionMatrix: ConfusionMatrix?
    /// For each head, the mean entropy of attention over that of uniform attention (softmax).
    public let entropyRatio: [Double]?
    /// The probability from which on a class counts as present (binary, multilabel).
    public let threshold: Double?
    /// The probability at which soft labels were cut for metrics that need classes; nil where labels are classes or
    /// numbers.
    package let labelCut: Float?
    /// Metrics of the short, middle and long sequences.
    public let byLength: [LengthMetrics]
    /// Rates of each group; empty where nobody asked for groups.
    public let byGroup: [GroupMetrics]
    /// Metrics of the second class (binary) or of each class (multiclass, multilabel); else empty. In
    /// JSON where there are several.
    public let byClass: [ClassMetrics]
    /// Confidence and how often it was right (binary: of the second class; multiclass: of the
    /// predicted one); else empty. Not in JSON.
    package let reliability: [ReliabilityBin]

    /// A metric and its interval; nil where the evaluation does not have it.
    public func callAsFunction(_ metric: Metric) -> MetricValue? { metrics.first { $0.metric == metric } }

    /// What the probe does with its threshold, each rate with the interval of Clopper and Pearson (binary).
    public var atThreshold: ThresholdRates? {
        task == .binary ? confusionMatrix.flatMap(ThresholdRates.init) : nil
    }

    /// Why a metric says nothing of these sequences, in words (`Metric.invisibility`); nil where it does.
    package func invisibility(_ metric: Metric) -> String? {
        atThreshold?.falsePositiveRate.flatMap { metric.invisibility(negatives: $0.sequences) }
    }

    /// 95 % confidence intervals of metrics by their names in JSON; empty without a bootstrap.
    package var intervals: [String: ClosedRange<Double>] {
        Dictionary(
            metrics.compactMap { own in own.interval.map { (own.metric.key, $0) } }, uniquingKeysWith: { $1 })
    }

    /// Encodes what there is, and for a binary task null for the metrics that the sequences do not define.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MetricKey.self)
        try container.encode(task, forKey: "task")
        try container.encode(sequences, forKey: "sequences")
        if tokens > 0 { try container.encode(tokens, forKey: "tokens") }
        for own in metrics { try container.encode(own.value, forKey: MetricKey(own.metric.key)) }
        if task == .binary {
            for metric in undefined { try container.encodeNil(forKey: MetricKey(metric.key)) }
        }
        try container.encodeIfPresent(confusionMatrix, forKey: "confusion_matrix")
        try container.encodeIfPresent(entropyRatio, forKey: "entropy_ratio")
        try container.encodeIfPresent(threshold, forKey: "threshold")
        try container.encodeIfPresent(labelCut, forKey: "labels_cut_at")
        try container.encodeIfPresent(task == .binary ? byClass.first?.name : nil, forKey: "positive")
        if byClass.count > 1 { try container.encode(byClass, forKey: "by_class") }
        try container.encodeIfPresent(atThreshold, forKey: "at_threshold")
        let unseen = metrics.compactMap { own in invisibility(own.metric).map { (own.metric.key, $0) } }
        if !unseen.isEmpty {
            try container.encode(Dictionary(uniqueKeysWithValues: unseen), forKey: "unseen")
        }
        if !byGroup.isEmpty { try container.encode(byGroup, forKey: "by_group") }
        if !byLength.isEmpty { try container.encode(byLength, forKey: "by_length") }
        if !intervals.isEmpty {
            try container.encode(intervals.mapValues { [$0.lowerBound, $0.upperBound] }, forKey: "intervals")
        }
    }
}

extension Probe {
    /// Scores labelled sequences and compares.
    ///
    /// - Parameters:
    ///   - metrics: which to find, no two with one key.
    ///   - bootstrap: how to find confidence intervals; nil for none.
    ///   - groups: the group of each sequence, for `Evaluation.byGroup`; nil for none.
    ///   - progress: is told the sequences of each chunk when they are scored.
    /// - Throws: `DataError` where there are no labels or sequences, or labels, classes or width do not fit
    ///   the probe, a hidden state is not finite, or a file has become shorter.
    public func evaluate(
        _ data: ActivationSet, metrics: [Metric] = Metric.all, threads: Int = Parallel.availableThreads,
        bootstrap: Bootstrap? = nil, groups: [String]? = nil,
        progress: (Range<Int>) throws -> Void = { _ in }
    ) throws -> Evaluation {
        try pass(labelled(data), attention: false, threads: threads, progress: progress)
            .evaluation(metrics: metrics, threads: threads, bootstrap: bootstrap, groups: groups)
    }
}

extension ScoredSet {
    /// Compares the scores with the labels.
    ///
    /// - Parameters:
    ///   - metrics: those to compute, where the task has them.
    ///   - bootstrap: how to find confidence intervals; nil for none.
    ///   - groups: the group of each sequence, for `Evaluation.byGroup`; nil for none.
    /// - Precondition: as many groups as sequences.
    /// - Throws: `DataError` where there are no labels.
    public func evaluation(
        metrics: [Metric] = Metric.all, threads: Int = Parallel.availableThreads,
        bootstrap: Bootstrap? = nil, groups: [String]? = nil
    ) throws -> Evaluation {
        let task = probe.task
        let lengths = data.areScores ? [] : data.indices.map { data[$0].count }
        let outcomes = Outcomes(
            task, try data.targets(for: task), logits: scores.logits, calibration: probe.calibration,
            probabilities: probabilities, predictions: predictions)
        let metrics = metrics.filter { $0.fits(task) }
        let sample = outcomes.sample()
        let values = metrics.map { $0(sample) }
        let defined = zip(metrics, values).compactMap { metric, value in value.map { (metric, $0) } }
        let intervals = try bootstrap.map { try outcomes.intervals(defined.map(\.0), $0, threads: threads) }
        return Evaluation(
            task: task.kind, sequences: data.count, tokens: data.areScores ? 0 : data.tokenCount,
            metrics: defined.enumerated().map { i, own in
                MetricValue(metric: own.0, value: own.1, interval: intervals?[i])
            },
            undefined: zip(metrics, values).filter { $1 == nil }.map(\.0),
            confusionMatrix: outcomes.confusionMatrix, entropyRatio: entropyRatios,
            threshold: task.hasThreshold ? probe.threshold : nil,
            labelCut: outcomes.targets.areSoft ? Target.cut : nil,
            byLength: lengths.isEmpty ? [] : LengthMetrics.thirds(lengths: lengths, outcomes),
            byGroup: groups.map { GroupMetrics.all($0, outcomes) } ?? [],
            byClass: try ClassMetrics.all(outcomes, threads: threads), reliability: outcomes.reliability)
    }

    /// For each head, the entropy of its attention; nil without softmax attention.
    package var entropyRatios: [Double]? {
        guard let entropies = scores.entropies else { return nil }
        let tokens = data.indices.map { data[$0].count }
        let ratios = (0..<entropies.columns).map { h in
            entropyRatio(data.indices.map { entropies[$0, h] }, tokens: tokens)
        }
        return ratios.contains(nil) ? nil : ratios.compactMap(\.self)
    }
}
