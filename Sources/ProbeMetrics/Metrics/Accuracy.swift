extension Metric {
    /// The fraction of sequences predicted right (`accuracy_score`); for multilabel, in every class.
    public static let accuracy = Metric(
        "accuracy", key: "accuracy", tasks: [.binary, .multiclass, .multilabel]
    ) { sample in
        let isRight = sample.outcomes.isRight
        return sample.mean { isRight[$0] ? 1 : 0 }
    }
}
