// What controls reach on the sequences that a probe is judged by, and what the probe has more.
public import ProbeMetrics
public import Probes
public import Tensors
import Activations

/// Metrics of controls beside a probe's.
public struct ControlMetrics: Sendable, Encodable {
    /// A control.
    public struct Row: Sendable {
        /// Which.
        public let control: Control
        /// Its metrics, in the order of the probe's; without those that are not defined.
        public let values: [(metric: Metric, value: Double)]
        /// Why it has none; nil where it has.
        public let failure: String?
    }

    /// What a probe has more than the best control.
    public struct Margin: Sendable {
        /// In which metric. Where less of it is better, what the control has more.
        public let metric: Metric
        /// The control that is best by it, on these sequences.
        public let control: Control
        /// The difference.
        public let value: Double
        /// Its 95 % interval, from the same resamples for both; nil where none was found.
        public let interval: ClosedRange<Double>?
    }

    /// The controls.
    public let rows: [Row]
    /// A margin a metric.
    public let margins: [Margin]

    /// The best control by a metric, and its value; nil where no control has it.
    package func best(_ metric: Metric) -> (control: Control, value: Double)? {
        self(metric).flatMap { margin in
            rows.first { $0.control == margin.control }?.values.first { $0.metric == metric }
                .map { (margin.control, $0.value) }
        }
    }

    private enum CodingKeys: String, CodingKey {
        case rows
        case margins = "above_best"
    }

    /// The margin in a metric; nil where no control has it.
    public func callAsFunction(_ metric: Metric) -> Margin? { margins.first { $0.metric == metric } }

    /// Encodes controls with their metrics by key, and margins with the control that they are above.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        var list = container.nestedUnkeyedContainer(forKey: .rows)
        for row in rows {
            var own = list.nestedContainer(keyedBy: MetricName.self)
            try own.encode(row.control.rawValue, forKey: "name")
            for (metric, value) in row.values { try own.encode(value, forKey: MetricName(metric.key)) }
            try own.encodeIfPresent(row.failure, forKey: "failure")
        }
        var above = container.nestedUnkeyedContainer(forKey: .margins)
        for margin in margins {
            var own = above.nestedContainer(keyedBy: MetricName.self)
            try own.encode(margin.metric.key, forKey: "metric")
            try own.encode(margin.control.rawValue, forKey: "control")
            try own.encode(margin.value, forKey: "value")
            try own.encodeIfPresent(margin.interval?.lowerBound, forKey: "low")
            try own.encodeIfPresent(margin.interval?.upperBound, forKey: "high")
        }
    }
}

private struct MetricName: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init(stringLiteral name: String) { stringValue = name }
    init?(stringValue name: String) { stringValue = name }
    init?(intValue: Int) { nil }
}

extension ScoredSet {
    /// Compares the probe's metrics with those of controls.
    ///
    /// - Parameters:
    ///   - controls: their scores of these sequences, the first of their sets.
    ///   - metrics: those of the probe that are defined.
    ///   - bootstrap: how to find intervals of margins; nil for none.
    /// - Throws: `DataError` where there are no labels.
    public func controlMetrics(
        _ controls: [Controls.Scores], metrics: [Metric], bootstrap: Bootstrap?,
        threads: Int = Parallel.availableThreads
    ) throws -> ControlMetrics {
        let (task, targets) = (probe.task, try data.targets(for: probe.task))
        let own = Outcomes(
            task, targets, logits: scores.logits, calibration: probe.calibration, threshold: probe.threshold)
        let judged = controls.map { $0.logits.first.map { Outcomes(task, targets, logits: $0) } }
        let values = judged.map { outcomes in
            metrics.map { metric in outcomes.flatMap { metric($0.sample()) } }
        }
        func isBetter(_ one: Double, _ other: Double, _ metric: Metric) -> Bool {
            metric.isHigherBetter ? one > other : one < other
        }
        let best = metrics.indices.map { m in
            controls.indices.filter { values[$0][m] != nil }.reduce(Int?.none) { best, c in
                guard let best else { return c }
                return isBetter(values[c][m]!, values[best][m]!, metrics[m]) ? c : best
            }
        }
        @Sendable func margins(_ sample: (Outcomes) -> Sample) -> [Double?] {
            let probe = sample(own)
            let others = judged.map { $0.map(sample) }
            return metrics.indices.map { m in
                guard let control = best[m].flatMap({ others[$0] }), let one = metrics[m](probe),
                    let other = metrics[m](control)
                else { return nil }
                return metrics[m].isHigherBetter ? one - other : other - one
            }
        }
        let classes = data.strata
        let strata = Dictionary(grouping: data.indices) { classes[$0] }.sorted { $0.key < $1.key }
        let intervals = try bootstrap?.intervals(strata: strata.map(\.value), threads: threads) { resample in
            margins { $0.sample(of: resample) }
        }
        return ControlMetrics(
            rows: controls.indices.map { c in
                ControlMetrics.Row(
                    control: controls[c].control,
                    values: zip(metrics, values[c]).compactMap { metric, value in value.map { (metric, $0) }
                    },
                    failure: controls[c].failure)
            },
            margins: zip(metrics.indices, margins { $0.sample() }).compactMap { m, value in
                value.map {
                    ControlMetrics.Margin(
                        metric: metrics[m], control: controls[best[m]!].control, value: $0,
                        interval: intervals?[m])
                }
            })
    }
}
