extension Metric {
    /// The mean over the labelled classes of the fraction predicted right (`balanced_accuracy_score`).
    public static let balancedAccuracy = Metric(
        "balanced accuracy", key: "balanced_accuracy", tasks: [.binary, .multiclass]
    ) { sample in
        mean(sample.classes.filter { $0.labelled > 0 }.map { $0.hits / $0.labelled })
    }
}
