public import Activations

/// How right a probe is, as one number.
///
/// A new metric is an extension in a file of its own with a static member, and its name in `all`. What is
/// made elsewhere is given to `Probe.evaluate(_:metrics:)` or to `Selection.metric`.
public struct Metric: Sendable {
    /// For people: "AUROC".
    public let name: String
    /// In JSON: "auroc".
    public let key: String
    /// The tasks that have it.
    package let tasks: Set<ProbeTask.Kind>
    /// Whether more of it is better, and not less.
    public let isHigherBetter: Bool
    /// Whether it is a fraction or a score near 0 to 1; a loss and an error have the size of the targets.
    package let isFraction: Bool
    /// The false-positive rate of a metric such as recall at 1 % FPR; nil for metrics that are of no single rate.
    package let falsePositiveRate: Double?
    /// Whether the order of outputs alone decides it, so that it is the same where all of them are shifted and scaled alike.
    package let isOfOrder: Bool
    private let value: @Sendable (Sample) -> Double?

    /// Every metric of the library, in the order in which tables have them.
    public static let all: [Metric] = [
        .loss, .accuracy, .balancedAccuracy, .auroc, .partialAUROC, .logAUROC, .averagePrecision, .f1,
        .recallAt01FPR, .recallAt1FPR, .recallAt5FPR, .brierScore, .expectedCalibrationError, .r2,
        .meanSquaredError,
    ]

    /// A metric.
    ///
    /// - Parameters:
    ///   - isOfOrder: whether the order of outputs alone decides it. Outputs of probes of different folds are then brought to
    ///     one scale before it is taken of all of them together.
    ///   - value: the metric of a sample; nil where it is not defined, as an area where all sequences are of one class.
    public init(
        _ name: String, key: String, tasks: Set<ProbeTask.Kind>, isHigherBetter: Bool = true,
        isFraction: Bool = true, falsePositiveRate: Double? = nil, isOfOrder: Bool = false,
        value: @escaping @Sendable (Sample) -> Double?
    ) {
        self.name = name
        self.key = key
        self.tasks = tasks
        self.isHigherBetter = isHigherBetter
        self.isFraction = isFraction
        self.falsePositiveRate = falsePositiveRate
        self.isOfOrder = isOfOrder
        self.value = value
    }

    /// Why it says nothing of so few negatives, in words: "0 of 50 negatives: a rate of 1 % cannot be seen here". One
    /// false positive among them is more than the rate, and the metric is that of no false positives; nil where there
    /// are enough.
    package func invisibility(negatives: Int) -> String? {
        falsePositiveRate.flatMap { $0.invisibility(negatives: negatives) }
    }

    /// Whether a task has it.
    package func fits(_ task: ProbeTask) -> Bool { tasks.contains(task.kind) }

    /// The metric of a sample; nil where it is not defined, or the task does not have it.
    public func callAsFunction(_ sample: Sample) -> Double? {
        fits(sample.outcomes.task) ? value(sample) : nil
    }
}

extension Double {
    /// The same of any false-positive rate.
    package func invisibility(negatives: Int) -> String? {
        guard negatives > 0, 1 / Double(negatives) > self else { return nil }
        return "0 of \(negatives) negatives: a rate of \(percentText) % cannot be seen here"
    }
}

extension Metric: Hashable {
    /// Whether the keys are the same.
    public static func == (one: Metric, other: Metric) -> Bool { one.key == other.key }

    /// Hashes the key.
    public func hash(into hasher: inout Hasher) { hasher.combine(key) }
}

/// A metric of some sequences.
public struct MetricValue: Sendable {
    /// Which it is.
    public let metric: Metric
    /// The number.
    public let value: Double
    /// Its 95 % confidence interval, if one was found.
    public let interval: ClosedRange<Double>?

    /// A metric and its number.
    package init(metric: Metric, value: Double, interval: ClosedRange<Double>? = nil) {
        self.metric = metric
        self.value = value
        self.interval = interval
    }
}
