/// One number of an evaluation, with its name for people and its name in JSON.
public struct Figure: Sendable {
    /// For people.
    public let name: String
    /// In JSON.
    public let key: String
    /// The number.
    public let value: Double
    /// Its 95 % confidence interval, if one was found.
    public let interval: ClosedRange<Double>?

    /// Whether it is a share or a score near 0 to 1; a loss and an error have the size of the targets.
    public var isShare: Bool { key != "loss" && key != "mean_squared_error" }
}

extension Evaluation {
    /// The numbers that the task has, the loss first.
    public var figures: [Figure] {
        let all: [(String, String, Double?)] = [
            ("loss", "loss", loss), ("accuracy", "accuracy", accuracy),
            ("balanced accuracy", "balanced_accuracy", balancedAccuracy), ("AUROC", "auroc", auroc),
            ("average precision", "average_precision", averagePrecision), ("F1", "f1", f1),
            ("recall at 0.1% FPR", "recall_at_0_1_fpr", recallAt01FPR),
            ("recall at 1% FPR", "recall_at_1_fpr", recallAt1FPR),
            ("recall at 5% FPR", "recall_at_5_fpr", recallAt5FPR), ("Brier score", "brier_score", brierScore),
            ("calibration error", "expected_calibration_error", expectedCalibrationError), ("R²", "r2", r2),
            ("mean squared error", "mean_squared_error", meanSquaredError),
        ]
        return all.compactMap { name, key, value in
            value.map { Figure(name: name, key: key, value: $0, interval: intervals[key]) }
        }
    }
}
