import ProbeMetrics
import ProbeSelection
import Probes

/// What controls reach, as a report shows it.
struct ControlSection {
    /// Each metric of the probe beside the best control.
    let margins: Table
    /// Each metric of each control.
    let all: Table
    let meanings: [Meaning]

    struct Meaning { let name, text: String }

    init(_ controls: ControlMetrics, _ evaluation: Evaluation) {
        margins = Table(
            "The probe above the best control",
            ["metric", "best control", "probe", "control", "above", "95 % from", "to"], names: 2,
            controls.margins.filter { evaluation.invisibility($0.metric) == nil }.map { margin in
                [
                    margin.metric.name, margin.control.rawValue, fixed(evaluation(margin.metric)?.value, 4),
                    fixed(controls.best(margin.metric)?.value, 4), fixed(margin.value, 4),
                    fixed(margin.interval?.lowerBound, 4), fixed(margin.interval?.upperBound, 4),
                ]
            })
        let metrics = controls.margins.map(\.metric)
        all = Table(
            "Metrics of all controls", ["control"] + metrics.map(\.name),
            controls.rows.map { row in
                [row.control.rawValue]
                    + metrics.map { metric in
                        evaluation.invisibility(metric) != nil
                            ? "–" : fixed(row.values.first { $0.metric == metric }?.value, 4)
                    }
            })
        meanings = controls.rows.map { row in
            Meaning(
                name: row.control.rawValue,
                text: row.control.meaning + (row.failure.map { " Here it could not be had: \($0)." } ?? ""))
        }
    }
}
