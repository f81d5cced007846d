// The curves that a ranking draws as its threshold falls, from above the highest score to below the
// lowest. Definitions are those of scikit-learn's `roc_curve` and `precision_recall_curve`, without
// dropping points.

/// A point of a curve, and the least score that counts as positive there.
package struct CurvePoint: Sendable, Equatable {
    /// The place on the two axes.
    package let x, y: Double
    /// The threshold on the score; infinite where nothing counts as positive.
    package let threshold: Float

    /// A point of a curve.
    package init(x: Double, y: Double, threshold: Float) {
        self.x = x
        self.y = y
        self.threshold = threshold
    }
}

extension RankingCurve {
    /// The ROC curve: the fraction of positives found (y) by the fraction of negatives taken for positives
    /// (x), from (0, 0) to (1, 1). Empty without both classes.
    package var roc: [CurvePoint] {
        guard positives > 0, negatives > 0 else { return [] }
        let points = thresholds.indices.map { i in
            CurvePoint(
                x: falsePositives[i] / negatives, y: truePositives[i] / positives, threshold: thresholds[i])
        }
        return [CurvePoint(x: 0, y: 0, threshold: .infinity)] + points
    }

    /// Precision (y) by recall (x), the highest threshold first. Empty without positives.
    package var precisionRecall: [CurvePoint] {
        guard positives > 0 else { return [] }
        return thresholds.indices.map { i in
            CurvePoint(
                x: truePositives[i] / positives,
                y: truePositives[i] / (truePositives[i] + falsePositives[i]),
                threshold: thresholds[i])
        }
    }
}

extension [CurvePoint] {
    /// A curve of at most so many of the points, its ends among them, that stays as near to all of
    /// them as that allows (Ramer, 1972; Douglas and Peucker, 1973): within a thousandth where
    /// possible, else within a tolerance doubled until they are few enough.
    ///
    /// - Precondition: `count` is at least 2.
    package func simplified(to count: Int) -> [CurvePoint] {
        precondition(count >= 2, "a curve has two ends")
        var (tolerance, points) = (0.001, self)
        while true {
            points = points.within(tolerance)
            if points.count <= count { return points }
            tolerance *= 2
        }
    }

    private func within(_ tolerance: Double) -> [CurvePoint] {
        guard self.count > 2 else { return self }
        var kept = [Bool](repeating: false, count: self.count)
        (kept[0], kept[self.count - 1]) = (true, true)
        var open = [(0, self.count - 1)]
        while let (first, last) = open.popLast() {
            var (farthest, distance) = (first, tolerance)
            for i in first + 1..<Swift.max(last, first + 1) {
                let own = self[i].distance(self[first], self[last])
                if own > distance { (farthest, distance) = (i, own) }
            }
            guard farthest > first else { continue }
            kept[farthest] = true
            open += [(first, farthest), (farthest, last)]
        }
        return indices.filter { kept[$0] }.map { self[$0] }
    }
}

extension CurvePoint {
    // From the line between two points, or from the first where they are one.
    fileprivate func distance(_ a: CurvePoint, _ b: CurvePoint) -> Double {
        let (dx, dy) = (b.x - a.x, b.y - a.y)
        let length = (dx * dx + dy * dy).squareRoot()
        guard length > 0 else { return ((x - a.x) * (x - a.x) + (y - a.y) * (y - a.y)).squareRoot() }
        return abs(dx * (y - a.y) - dy * (x - a.x)) / length
    }
}
