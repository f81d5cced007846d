/// What a threshold means, in sentences: what is decided with it, how that went on these data, and
/// how it was chosen.
struct ThresholdText {
    let sentences: [String]

    init(_ probe: Probe, _ evaluation: Evaluation?, _ record: TrainingRecord) {
        var sentences: [String] = []
        switch probe.task {
        case .binary(let classes):
            sentences.append(
                "A sequence counts as \(classes[1]) from a probability of \(brief(probe.threshold)) on.")
            if let counts = evaluation?.confusionMatrix?.counts {
                let (positives, negatives) = (counts[1].reduce(0, +), counts[0].reduce(0, +))
                sentences.append(
                    "Here that finds \(counts[1][1].grouped) of \(positives.grouped) \(classes[1]) and takes "
                        + "\(counts[0][1].grouped) of \(negatives.grouped) \(classes[0]) for it.")
            }
        case .multilabel:
            sentences.append("A class counts as present from a probability of \(brief(probe.threshold)) on.")
        case .multiclass: sentences.append("The class with the highest probability is predicted.")
        case .regression: break
        }
        if let rule = record.thresholdRule {
            var text =
                "It was chosen to keep false positives at \(percent(rule.false_positive_rate)) or below"
            if let confidence = rule.confidence { text += " with \(percent(confidence)) confidence" }
            if let passed = rule.false_positives, let negatives = rule.negatives {
                text += ": \(passed.grouped) of \(negatives.grouped) negatives passed"
                if let bound = rule.bound { text += ", at most \(percent(bound)) in truth" }
            }
            sentences.append(text + ".")
        }
        if let calibration = record.calibration {
            sentences.append("Probabilities are calibrated (\(calibration.method)).")
        }
        self.sentences = sentences
    }
}

private func percent(_ share: Double) -> String { brief(share * 100, digits: 3) + " %" }
