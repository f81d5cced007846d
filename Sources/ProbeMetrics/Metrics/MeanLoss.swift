import Activations

extension Metric {
    /// Mean loss of the task, as in training (binary, multiclass: log loss in nats); of a calibrated probe
    /// the log loss of its probabilities (`Calibration.loss`).
    public static let loss = Metric(
        "loss", key: "loss", tasks: Set(ProbeTask.Kind.allCases), isHigherBetter: false, isFraction: false
    ) { sample in
        let losses = sample.outcomes.losses()
        return sample.mean { losses[$0] }
    }
}
