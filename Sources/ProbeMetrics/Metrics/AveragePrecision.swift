extension Metric {
    /// Average precision (`average_precision_score`): binary; multiclass and multilabel, the mean over
    /// classes that are labelled.
    public static let averagePrecision = Metric(
        "average precision", key: "average_precision", tasks: [.binary, .multiclass, .multilabel],
        isOfOrder: true
    ) { mean($0.areas.compactMap(\.averagePrecision)) }
}
