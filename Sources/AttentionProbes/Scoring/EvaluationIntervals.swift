import Tensors

extension Bootstrap {
    /// 95 % intervals of the figures of predicted classes, and for two classes of their ranking, under
    /// the names that an evaluation has for them in JSON.
    ///
    /// - Parameter scores: of the second class, for two classes; else nil.
    func intervals(
        labels: [Int], predictions: [Int], classes: Int, scores: [Float]?, threads: Int
    ) throws -> [String: ClosedRange<Double>] {
        let names =
            ["accuracy", "balanced_accuracy", "f1"]
            + (scores == nil ? [] : ["auroc", "average_precision", "recall_at_1_fpr"])
        let strata = (0..<classes).map { c in labels.indices.filter { labels[$0] == c } }
        let found = try intervals(strata: strata, threads: threads) { draw in
            let matrix = ConfusionMatrix(
                labels: draw.map { labels[$0] }, predictions: draw.map { predictions[$0] }, classes: classes)
            let figures: [Double?] = [
                matrix.accuracy, matrix.balancedAccuracy, classes == 2 ? matrix.f1(1) : matrix.macroF1,
            ]
            guard let scores else { return figures }
            let curve = RankingCurve(
                scores: draw.map { scores[$0] }, isPositive: draw.map { labels[$0] == 1 })
            return figures + [curve.auroc, curve.averagePrecision, curve.recall(atFalsePositiveRate: 0.01)]
        }
        return Dictionary(
            uniqueKeysWithValues: zip(names, found).compactMap { name, interval in
                interval.map { (name, $0) }
            })
    }
}
