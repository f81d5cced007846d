extension Metric {
    /// Area under the ROC curve (`roc_auc_score`): binary; multiclass (each class against all others) and
    /// multilabel, the mean over classes that have both labels.
    public static let auroc = Metric(
        "AUROC", key: "auroc", tasks: [.binary, .multiclass, .multilabel], isOfOrder: true
    ) { mean($0.areas.compactMap(\.auroc)) }
}
