// The library's own metrics of an evaluation by their names; nil where it does not have them.
import ProbeMetrics

extension Evaluation {
    /// See `Metric.loss`; NaN where the evaluation was asked for other metrics alone.
    public var loss: Double { self(.loss)?.value ?? .nan }
    /// See `Metric.accuracy`.
    public var accuracy: Double? { self(.accuracy)?.value }
    /// See `Metric.balancedAccuracy`.
    public var balancedAccuracy: Double? { self(.balancedAccuracy)?.value }
    /// See `Metric.auroc`.
    public var auroc: Double? { self(.auroc)?.value }
    /// See `Metric.partialAUROC`.
    public var partialAUROC: Double? { self(.partialAUROC)?.value }
    /// See `Metric.logAUROC`.
    public var logAUROC: Double? { self(.logAUROC)?.value }
    /// See `Metric.averagePrecision`.
    public var averagePrecision: Double? { self(.averagePrecision)?.value }
    /// See `Metric.f1`.
    public var f1: Double? { self(.f1)?.value }
    /// Highest recall with at most 0.1 % false positives (binary).
    public var recallAt01FPR: Double? { self(.recallAt01FPR)?.value }
    /// Highest recall with at most 1 % false positives (binary).
    public var recallAt1FPR: Double? { self(.recallAt1FPR)?.value }
    /// Highest recall with at most 5 % false positives (binary).
    public var recallAt5FPR: Double? { self(.recallAt5FPR)?.value }
    /// See `Metric.brierScore`.
    public var brierScore: Double? { self(.brierScore)?.value }
    /// See `Metric.expectedCalibrationError`.
    public var expectedCalibrationError: Double? { self(.expectedCalibrationError)?.value }
    /// See `Metric.r2`.
    public var r2: Double? { self(.r2)?.value }
    /// See `Metric.meanSquaredError`.
    public var meanSquaredError: Double? { self(.meanSquaredError)?.value }
}
