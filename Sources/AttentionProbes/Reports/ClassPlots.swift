// The plots of one class against the others, and of regression outputs.
private import Foundation

/// Points a curve is drawn with at most.
private let mostPoints = 200

extension ClassFigures {
    /// ROC, precision and recall, and the distribution of scores, those that there are.
    ///
    /// - Parameters:
    ///   - other: what the other sequences are called.
    ///   - limit: the score from which on a sequence counts as of the class.
    ///   - scoreName: what the scores are.
    func plots(id: String, other: String, limit: Float?, scoreName: String) -> [Plot] {
        let ranking = ranking
        let roc = ranking.roc.simplified(to: mostPoints)
        let curve = ranking.precisionRecall.simplified(to: mostPoints)
        return [
            auroc.map { rocPlot(id, roc, $0, limit) },
            auroc == nil ? nil : averagePrecision.map { precisionPlot(id, curve, $0) },
            distribution(id, other, limit, scoreName),
        ].compactMap(\.self)
    }

    private func rocPlot(_ id: String, _ points: [CurvePoint], _ area: Double, _ limit: Float?) -> Plot {
        var plot = Plot(
            "\(id)-roc", "ROC curve",
            "The share of \(name) found rises with the share of others taken for it; the area under the "
                + "curve is \(fixed(area)).",
            x: .share("false positive rate"), y: .share("true positive rate"),
            table: Table(
                "ROC curve of \(name)",
                ["false positive rate", "true positive rate", "threshold on the score"],
                names: 0,
                points.map { [brief($0.x, digits: 6), brief($0.y, digits: 6), thresholdText($0)] }))
        plot.line([(0, 0), (1, 1)], "guide")
        plot.line(points.map { ($0.x, $0.y) }, "accent", "AUROC \(fixed(area))")
        if let limit, let point = ranking.roc.last(where: { $0.threshold >= limit }) {
            plot.dots([(point.x, point.y)], "accent mark", "at the threshold")
        }
        return plot
    }

    private func precisionPlot(_ id: String, _ points: [CurvePoint], _ average: Double) -> Plot {
        let share = Double(sequences) / Double(scores.count)
        var plot = Plot(
            "\(id)-pr", "Precision and recall",
            "Precision against recall; the average precision is \(fixed(average)), and a guess would have "
                + "\(fixed(share)).",
            x: .share("recall"), y: .share("precision"),
            table: Table(
                "Precision and recall of \(name)", ["recall", "precision", "threshold on the score"],
                names: 0,
                points.map { [brief($0.x, digits: 6), brief($0.y, digits: 6), thresholdText($0)] }))
        plot.line([(0, share), (1, share)], "guide")
        plot.line(points.map { ($0.x, $0.y) }, "accent", "average precision \(fixed(average))")
        return plot
    }

    private func thresholdText(_ point: CurvePoint) -> String {
        point.threshold.isFinite ? brief(Double(point.threshold), digits: 6) : "above all"
    }

    private func distribution(_ id: String, _ other: String, _ limit: Float?, _ scoreName: String) -> Plot {
        let values = scores.map(Double.init)
        let all = Histogram(values, bins: 24)
        func counts(_ labelled: Bool) -> [Int] {
            Histogram(
                values.indices.filter { isLabelled[$0] == labelled }.map { values[$0] }, bins: 24,
                range: all.range
            ).counts
        }
        let (own, others) = (counts(true), counts(false))
        let rows = all.counts.indices.map { bin in
            let interval = all.interval(bin)
            return [
                brief(interval.lowerBound), brief(interval.upperBound), String(others[bin]), String(own[bin]),
            ]
        }
        return distributionPlot(
            id, "Scores by class", "How many sequences have which score, \(other) and \(name) apart.",
            all, [(others, "negative", other), (own, "positive", name)], limit.map(Double.init),
            Table("Scores by class", ["\(scoreName) from", "to", other, name], names: 0, rows))
    }
}

/// Distributions of scores, one outline a series, with a line at the threshold.
func distributionPlot(
    _ id: String, _ title: String, _ description: String, _ all: Histogram,
    _ series: [(counts: [Int], style: String, name: String)], _ limit: Double?, _ table: Table
) -> Plot {
    let most = Double(series.flatMap(\.counts).max() ?? 1)
    let axis = Axis(all.range, table.header[0].text.replacing(" from", with: ""))
    var plot = Plot(
        "\(id)-scores", title, description, x: axis, y: Axis(0...max(1, most), "sequences"), table: table)
    for (counts, style, name) in series {
        let bars = counts.indices.filter { counts[$0] > 0 }.map { bin in
            (x: all.interval(bin), y: 0...Double(counts[bin]))
        }
        plot.bars(bars, style, name)
    }
    if let limit, axis.range.contains(limit) {
        plot.line([(limit, 0), (limit, max(1, most))], "limit", "threshold")
    }
    return plot
}

extension ScoredSet {
    /// Of each regression output: predictions against targets, and errors.
    func regressionPlots(output o: Int, name: String) -> [Plot] {
        guard case .values(let values)? = targets else { return [] }
        let pairs = logits.indices.map { (x: Double(values[$0, o]), y: Double(logits[$0][o])) }
        // Evenly through the data, so that a page of many sequences stays small.
        let step = max(1, (pairs.count + 799) / 800)
        let shown = stride(from: 0, to: pairs.count, by: step).map { pairs[$0] }
        let numbers = pairs.flatMap { [$0.x, $0.y] }
        let range = numbers.min()!...numbers.max()!
        let sample = step > 1 ? " Shown is every \(step)th sequence." : ""
        var scatter = Plot(
            "output-\(o)-scatter", "Predictions against targets",
            "Each dot is a sequence; on the diagonal the prediction is exact.\(sample)",
            x: Axis(range, "target"), y: Axis(range, "prediction"),
            table: Table(
                "Predictions of \(name)", ["target", "prediction"], names: 0,
                shown.map { [brief($0.x, digits: 6), brief($0.y, digits: 6)] }))
        let ends = [range.lowerBound, range.upperBound].map { (x: $0, y: $0) }
        scatter.line(ends, "guide", "exact")
        scatter.dots(shown, "accent")
        let errors = Histogram(pairs.map { $0.y - $0.x }, bins: 24)
        let rows = errors.counts.indices.map { bin in
            let interval = errors.interval(bin)
            return [brief(interval.lowerBound), brief(interval.upperBound), String(errors.counts[bin])]
        }
        return [
            scatter,
            distributionPlot(
                "output-\(o)", "Errors", "How many sequences have which error, prediction less target.",
                errors,
                [(errors.counts, "accent", "sequences")], nil,
                Table("Errors of \(name)", ["error from", "to", "sequences"], names: 0, rows)),
        ]
    }

    /// The distribution of an output where nothing is known of classes.
    func unlabelledPlot(output o: Int, name: String) -> Plot {
        let all = Histogram(logits.map { Double($0[o]) }, bins: 24)
        let scoreName = probabilities.allSatisfy(\.isEmpty) ? "output" : "logit"
        let rows = all.counts.indices.map { bin in
            let interval = all.interval(bin)
            return [brief(interval.lowerBound), brief(interval.upperBound), String(all.counts[bin])]
        }
        return distributionPlot(
            "output-\(o)", "Scores", "How many sequences have which score of \(name).", all,
            [(all.counts, "accent", "sequences")], limit.map(Double.init),
            Table("Scores of \(name)", ["\(scoreName) from", "to", "sequences"], names: 0, rows))
    }
}
