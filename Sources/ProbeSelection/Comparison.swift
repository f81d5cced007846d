import ProbeMetrics

/// How kinds of probes do on several sets of data, each against a baseline.
public struct Comparison: Codable, Sendable, Equatable {
    /// One kind of probe on one set.
    public struct Row: Codable, Sendable, Equatable {
        /// What to call it: "attention, 8 heads".
        public let name: String
        /// Its metric; nil where it failed.
        public let value: Double?
        /// The 95 % interval of the metric.
        public let low, high: Double?
        /// The metric less the baseline's, and the interval of that; nil for the baseline itself.
        public let difference, differenceLow, differenceHigh: Double?
        /// The metric less that of the best control, and the interval of that; nil without controls.
        public let aboveControl, aboveControlLow, aboveControlHigh: Double?
        /// The mean entropy ratio of its heads; nil without softmax attention.
        package let entropyRatio: Double?
        /// Why it has no metric; nil without a failure.
        public let failure: String?
        /// What it was selected from, with those that failed or did not converge; nil where nothing is
        /// known of that.
        package let candidates: [SelectionResult.Row]?
        /// Of a comparison over layers the model; else nil.
        public let model: String?
        /// Of a comparison over layers the layer that it reads, or the layers of an ensemble of the model across layers;
        /// else nil.
        public let layers: [Int]?
        /// Of a comparison over layers whether cross-validation on the training data chooses this layer of the model.
        public let chosen: Bool?

        private enum CodingKeys: String, CodingKey {
            case name, value, low, high, difference, failure, candidates, model, layers, chosen
            case differenceLow = "difference_low"
            case differenceHigh = "difference_high"
            case aboveControl = "above_control"
            case aboveControlLow = "above_control_low"
            case aboveControlHigh = "above_control_high"
            case entropyRatio = "entropy_ratio"
        }

        /// A row of its parts.
        package init(
            name: String, value: Double?, low: Double? = nil, high: Double? = nil, difference: Double? = nil,
            differenceLow: Double? = nil, differenceHigh: Double? = nil, aboveControl: Double? = nil,
            aboveControlInterval: ClosedRange<Double>? = nil, entropyRatio: Double? = nil,
            failure: String? = nil,
            candidates: [SelectionResult.Row]? = nil, model: String? = nil, layers: [Int]? = nil,
            chosen: Bool? = nil
        ) {
            self.name = name
            self.value = value
            self.low = low
            self.high = high
            self.difference = difference
            self.differenceLow = differenceLow
            self.differenceHigh = differenceHigh
            self.aboveControl = aboveControl
            aboveControlLow = aboveControlInterval?.lowerBound
            aboveControlHigh = aboveControlInterval?.upperBound
            self.entropyRatio = entropyRatio
            self.failure = failure
            self.candidates = candidates
            (self.model, self.layers, self.chosen) = (model, layers, chosen)
        }
    }

    /// One set of data.
    public struct DataSet: Codable, Sendable, Equatable {
        /// What to call it.
        public let name: String
        /// What the probes were trained on and what they are judged by; nil where it is not known.
        public let training, test: String?
        /// Whether they are judged by the training data themselves, each sequence by probes of folds that did not see
        /// it; nil for false.
        package let crossValidated: Bool?
        /// What the metric is called: "AUROC".
        public let metric: String
        /// Why the metric says nothing of the test's few negatives, in words (`Metric.invisibility`); nil where it does.
        public let unseen: String?
        /// The name of the row that the others are compared with.
        public let baseline: String
        /// The probes, the baseline among them.
        public let rows: [Row]
        /// What controls reach, by the names of `Control`; nil where none was asked for.
        public let controls: [Row]?
        /// The best of them, which the rows are above; nil where none has the metric.
        public let bestControl: String?

        private enum CodingKeys: String, CodingKey {
            case name, training, test, metric, baseline, rows, controls, unseen
            case crossValidated = "cross_validated"
            case bestControl = "best_control"
        }

        /// A set of its parts.
        package init(
            name: String, training: String? = nil, test: String? = nil, crossValidated: Bool = false,
            metric: String, unseen: String? = nil, baseline: String, rows: [Row], controls: [Row]? = nil,
            bestControl: String? = nil
        ) {
            self.name = name
            (self.training, self.test) = (training, test)
            self.crossValidated = crossValidated ? true : nil
            (self.metric, self.unseen) = (metric, unseen)
            self.baseline = baseline
            self.rows = rows
            (self.controls, self.bestControl) = (controls, bestControl)
        }
    }

    /// The sets, in the order to show.
    public let dataSets: [DataSet]

    private enum CodingKeys: String, CodingKey { case dataSets = "data_sets" }

    /// A comparison on some sets.
    public init(dataSets: [DataSet]) { self.dataSets = dataSets }
}
