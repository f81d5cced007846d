extension Metric {
    /// Highest recall with at most 0.1 % false positives.
    public static let recallAt01FPR = recall("0.1%", key: "recall_at_0_1_fpr", atMost: 0.001)
    /// Highest recall with at most 1 % false positives.
    public static let recallAt1FPR = recall("1%", key: "recall_at_1_fpr", atMost: 0.01)
    /// Highest recall with at most 5 % false positives.
    public static let recallAt5FPR = recall("5%", key: "recall_at_5_fpr", atMost: 0.05)

    private static func recall(_ percent: String, key: String, atMost rate: Double) -> Metric {
        Metric(
            "recall at \(percent) FPR", key: key, tasks: [.binary], falsePositiveRate: rate, isOfOrder: true
        ) { $0.curves[0].recall(atFalsePositiveRate: rate) }
    }
}
