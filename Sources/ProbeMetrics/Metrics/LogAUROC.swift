private import Glibc

extension Metric {
    /// Area under the ROC curve on a logarithmic axis of false-positive rates from 0.1 % to 10 % (binary):
    /// ∫ TPR d log10 FPR over [10⁻³, 10⁻¹], divided by 2, so that a perfect ranking has 1 and a random one 0.0215.
    /// The curve is straight between thresholds, on the linear axis, as Mysinger and Shoichet (2010) have it. With
    /// fewer than 1000 negatives the left end of the axis lies before the first false positive, where the curve is a
    /// line to that. nil without both classes.
    public static let logAUROC = Metric(
        "AUROC, log FPR", key: "log_auroc", tasks: [.binary], isOfOrder: true
    ) { $0.curves[0].logAUROC }
}

extension RankingCurve {
    /// See `Metric.logAUROC`.
    package var logAUROC: Double? {
        guard positives > 0, negatives > 0 else { return nil }
        var area = 0.0
        forEachSegment(falsePositiveRates: 1e-3...1e-1) { segment in
            let ((x0, y0), (x1, y1)) = segment
            // y = a + b·x, of which ∫ y dx/x = a·ln(x1/x0) + b·(x1 - x0).
            let b = (y1 - y0) / (x1 - x0)
            area += (y0 - b * x0) * log(x1 / x0) + (y1 - y0)
        }
        return area / log(10) / 2
    }
}
