// The metrics that a page begins with, each beside what can be had without the probe.
import ProbeMetrics
import ProbeSelection
import Probes

/// A metric in large figures.
struct HeadlineMetric {
    let name, value: String
    let interval: String?
    /// Why there is no value.
    var remark: String? = nil
    /// What the best constant prediction has, and the best control.
    var beside: [String] = []

    private static let metrics: [Metric] = [
        .auroc, .averagePrecision, .accuracy, .f1, .recallAt1FPR, .balancedAccuracy,
        .expectedCalibrationError, .r2, .meanSquaredError,
    ]
    private static let most = 6

    /// The first six that there are.
    static func all(
        _ evaluation: Evaluation, _ judged: JudgedSet, _ controls: ControlMetrics?
    ) -> [HeadlineMetric] {
        let constants = judged.targets.map { Outcomes.constants(judged.scored.probe.task, $0) } ?? []
        let chosen = metrics.filter { $0 != .balancedAccuracy || evaluation.auroc == nil }
        return chosen.compactMap { evaluation($0) }.prefix(most).map { own in
            func text(_ value: Double) -> String { own.metric.isFraction ? fixed(value) : brief(value) }
            if let invisibility = evaluation.invisibility(own.metric) {
                return HeadlineMetric(name: own.metric.name, value: "–", interval: nil, remark: invisibility)
            }
            // The frequency of a class is calibrated, and says nothing of a sequence.
            let constant =
                own.metric == .expectedCalibrationError
                ? nil : Outcomes.constantValue(own.metric, constants)
            return HeadlineMetric(
                name: own.metric.name, value: text(own.value),
                interval: own.interval.map { "\(text($0.lowerBound)) – \(text($0.upperBound))" },
                beside: [
                    constant.map { "constant: \(text($0))" },
                    controls?.best(own.metric).map { "\($0.control.rawValue): \(text($0.value))" },
                ].compactMap(\.self))
        }
    }
}
