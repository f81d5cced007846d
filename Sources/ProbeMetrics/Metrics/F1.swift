extension Metric {
    /// F1 of the second class (binary), mean over classes (`f1_score`, `average="macro"`): 2·TP / (2·TP + FP +
    /// FN). A class that no sequence is labelled with or predicted as counts as 0 in a binary task, and with
    /// several labels where that is so of all sequences; else it is left out of the mean.
    public static let f1 = Metric("F1", key: "f1", tasks: [.binary, .multiclass, .multilabel]) { sample in
        if case .classSets(let marks) = sample.outcomes.form {
            return mean(
                marks.compactMap { marks in
                    let (named, hits) = sample.sums(marks)
                    // Where only this sample lacks the class it does not count, as in the areas, or a class of
                    // few sequences would pull every interval down.
                    if named == 0, marks.contains(where: { $0 > 0 }) { return nil }
                    return f1Score(named: named, hits: hits)
                })
        }
        let scores = sample.classes.map { ($0.labelled + $0.predicted, $0.hits) }
        guard !sample.outcomes.task.isBinary else { return f1Score(named: scores[1].0, hits: scores[1].1) }
        return mean(scores.filter { $0.0 > 0 }.map { f1Score(named: $0.0, hits: $0.1) })
    }
}

/// 2·TP / (2·TP + FP + FN) of one class; 0 where nothing is labelled or predicted so.
///
/// - Parameters:
///   - named: how many sequences are labelled so, and how many predicted, added up.
///   - hits: how many are both.
func f1Score(named: Double, hits: Double) -> Double { named == 0 ? 0 : 2 * hits / named }
