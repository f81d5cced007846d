import ProbeSelection
import Probes

/// What a threshold means, in sentences: what is decided with it, how that went on these data, and
/// how it was chosen.
struct ThresholdText {
    let sentences: [String]

    init(_ probe: Probe, _ evaluation: Evaluation?) {
        var sentences: [String] = []
        switch probe.task {
        case .binary(let names):
            let classes = names.map(\.isolated)
            sentences.append(
                "A sequence counts as \(classes[1]) from a probability of \(brief(probe.threshold)) on.")
            if let counts = evaluation?.confusionMatrix?.counts {
                let (positives, negatives) = (counts[1].reduce(0, +), counts[0].reduce(0, +))
                sentences.append(
                    "Here that finds \(counts[1][1].grouped) of \(positives.grouped) \(classes[1]) and takes "
                        + "\(counts[0][1].grouped) of \(negatives.grouped) \(classes[0]) for it.")
                sentences += [
                    ("Recall", evaluation?.atThreshold?.recall),
                    ("The false-positive rate", evaluation?.atThreshold?.falsePositiveRate),
                ]
                .compactMap { name, rate in
                    rate.map {
                        "\(name) is \(percent($0.value)), and with 95 % confidence between \(percent($0.low)) and \(percent($0.high))."
                    }
                }
            }
        case .multilabel:
            sentences.append("A class counts as present from a probability of \(brief(probe.threshold)) on.")
        case .multiclass: sentences.append("The class with the highest probability is predicted.")
        case .regression: break
        }
        if let rule = probe.thresholdRule {
            sentences.append(
                "It was chosen to keep false positives at \(percent(rule.falsePositiveRate)) or below with "
                    + "\(percent(rule.confidence)) confidence: \(rule.falsePositives.grouped) of "
                    + "\(rule.negatives.grouped) negatives passed, at most \(percent(rule.bound)) in truth.")
        }
        if let calibration = probe.calibration {
            sentences.append("Probabilities are calibrated (\(calibration.summary)).")
        }
        self.sentences = sentences
    }
}

private func percent(_ fraction: Double) -> String { brief(fraction * 100, digits: 3) + " %" }
