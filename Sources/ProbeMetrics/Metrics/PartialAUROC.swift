extension Metric {
    /// Partial area under the ROC curve up to 10 % false positives: `partialAUROC(upTo: 0.1)`.
    public static let partialAUROC = partialAUROC(upTo: 0.1)

    /// The area under the ROC curve between no false positives and a rate of them (binary), standardised as McClish
    /// (1989) does: 1 for a perfect ranking, 0.5 for a random one whatever the rate (`roc_auc_score` with `max_fpr`).
    /// The curve is straight between thresholds. nil without both classes.
    ///
    /// - Precondition: the rate is above 0 and at most 1.
    public static func partialAUROC(upTo rate: Double) -> Metric {
        precondition(rate > 0 && rate <= 1, "\(rate) false positives")
        let percent = rate.percentText
        return Metric(
            "AUROC to \(percent)% FPR",
            key: "partial_auroc_\(String(percent.map { $0 == "." ? "_" : $0 }))_fpr",
            tasks: [.binary], isOfOrder: true
        ) { $0.curves[0].partialAUROC(upTo: rate) }
    }
}

extension RankingCurve {
    /// See `Metric.partialAUROC(upTo:)`.
    package func partialAUROC(upTo rate: Double) -> Double? {
        guard positives > 0, negatives > 0 else { return nil }
        var area = 0.0
        forEachSegment(falsePositiveRates: 0...rate) { segment in
            area += (segment.to.x - segment.from.x) * (segment.to.y + segment.from.y) / 2
        }
        // Between what a random ranking has and what a perfect one has.
        let least = rate * rate / 2
        return (1 + (area - least) / (rate - least)) / 2
    }

    /// Tells of the straight pieces of the ROC curve that advance to the right, cut to a range of false-positive
    /// rates, from the left. O(n).
    ///
    /// - Precondition: there are positives and negatives.
    func forEachSegment(
        falsePositiveRates range: ClosedRange<Double>,
        _ body: (_ segment: (from: (x: Double, y: Double), to: (x: Double, y: Double))) -> Void
    ) {
        var last = (x: 0.0, y: 0.0)
        for (trues, falses) in zip(truePositives, falsePositives) {
            let next = (x: falses / negatives, y: trues / positives)
            defer { last = next }
            guard next.x > last.x, next.x > range.lowerBound else { continue }
            guard last.x < range.upperBound else { return }
            let slope = (next.y - last.y) / (next.x - last.x)
            let (from, to) = (max(last.x, range.lowerBound), min(next.x, range.upperBound))
            body(
                (
                    (from, from == last.x ? last.y : last.y + slope * (from - last.x)),
                    (to, to == next.x ? next.y : last.y + slope * (to - last.x))
                ))
        }
    }
}

extension Double {
    /// "0.5" of 0.005, "1" of 0.01: a fraction as a percentage.
    package var percentText: String {
        // Rounded to a millionth of a percent, which no rate of sequences needs.
        let value = (self * 1e8).rounded() / 1e6
        return value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
