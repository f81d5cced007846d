// The plots of one class against the others, and of regression outputs.
import ProbeMetrics
import Probes

/// Points a curve is drawn with at most.
private let mostPoints = 200

extension ClassMetrics {
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
        var plot = curvePlot(
            "\(id)-roc", "ROC curve",
            "The fraction of \(name.isolated) found rises with the fraction of others taken for it; the area under the "
                + "curve is \(fixed(area)).",
            points, x: "false positive rate", y: "true positive rate", guide: 0...1, "AUROC \(fixed(area))")
        if let limit, let point = ranking.roc.last(where: { $0.threshold >= limit }) {
            plot.dots([(point.x, point.y)], "accent mark", "at the threshold")
        }
        return plot
    }

    private func precisionPlot(_ id: String, _ points: [CurvePoint], _ average: Double) -> Plot {
        let fraction = Double(sequences) / Double(scores.count)
        return curvePlot(
            "\(id)-pr", "Precision and recall",
            "Precision against recall; the average precision is \(fixed(average)), and a guess would have "
                + "\(fixed(fraction)).",
            points, x: "recall", y: "precision", guide: fraction...fraction,
            "average precision \(fixed(average))")
    }

    // Two fractions that change with the threshold; the guide is what a guess has.
    private func curvePlot(
        _ id: String, _ title: String, _ description: String, _ points: [CurvePoint], x: String, y: String,
        guide: ClosedRange<Double>, _ legend: String
    ) -> Plot {
        var plot = Plot(
            id, title, description, x: .fraction(x), y: .fraction(y),
            table: Table(
                "\(title) of \(name.isolated)", [x, y, "threshold on the score"], names: 0,
                points.map { point in
                    let threshold = point.threshold.isFinite ? Double(point.threshold) : nil
                    return [point.x, point.y].map { brief($0, digits: 6) }
                        + [threshold.map { brief($0, digits: 6) } ?? "above all"]
                }))
        plot.line([(0, guide.lowerBound), (1, guide.upperBound)], "guide")
        plot.line(points.map { ($0.x, $0.y) }, "accent", legend)
        return plot
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
        return distributionPlot(
            id, "Scores by class",
            "How many sequences have which score, \(other) and \(name.isolated) apart.",
            all, scoreName, [(counts(false), "negative", other), (counts(true), "positive", name)],
            limit: limit)
    }
}

/// Distributions of numbers, one outline a series, with a line at the threshold.
///
/// - Parameters:
///   - all: the intervals that each series counts in.
///   - valueName: what the numbers are.
///   - caption: of the table of counts; nil for the title.
private func distributionPlot(
    _ id: String, _ title: String, _ description: String, _ all: Histogram, _ valueName: String,
    _ series: [(counts: [Int], style: String, name: String)], limit: Float? = nil, caption: String? = nil
) -> Plot {
    let most = Double(max(1, series.flatMap(\.counts).max() ?? 1))
    let axis = Axis(all.range, valueName)
    let rows = all.counts.indices.map { bin in
        let interval = all.interval(bin)
        return [brief(interval.lowerBound), brief(interval.upperBound)]
            + series.map { String($0.counts[bin]) }
    }
    var plot = Plot(
        "\(id)-scores", title, description, x: axis, y: Axis(0...most, "sequences"),
        table: Table(
            caption ?? title, ["\(valueName) from", "to"] + series.map(\.name), names: 0, rows))
    for (counts, style, name) in series {
        let bars = counts.indices.filter { counts[$0] > 0 }.map { bin in
            (x: all.interval(bin), y: 0...Double(counts[bin]))
        }
        plot.bars(bars, style, name)
    }
    if let limit = limit.map(Double.init), axis.range.contains(limit) {
        plot.line([(limit, 0), (limit, most)], "limit", "threshold")
    }
    return plot
}

extension JudgedSet {
    /// How right each output of several is; nil for classes and without labels.
    func outputTable(_ names: [String]) -> Table? {
        guard names.count > 1, case .values(let values)? = targets, probabilities.allSatisfy(\.isEmpty) else {
            return nil
        }
        return Table(
            "Metrics by output", ["output", "R²", "mean squared error"],
            names.enumerated().map { o, name in
                let predicted = logits.map { $0[o] }
                let wanted = logits.indices.map { values[$0, o] }
                return [
                    name, fixed(r2Score(predicted, wanted), 4), brief(meanSquaredError(predicted, wanted)),
                ]
            })
    }

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
        return [
            scatter,
            distributionPlot(
                "output-\(o)", "Errors", "How many sequences have which error, prediction less target.",
                errors, "error", [(errors.counts, "accent", "sequences")], caption: "Errors of \(name)"),
        ]
    }

    /// The distribution of an output where nothing is known of classes.
    func unlabelledPlot(output o: Int, name: String) -> Plot {
        let all = Histogram(logits.map { Double($0[o]) }, bins: 24)
        return distributionPlot(
            "output-\(o)", "Scores", "How many sequences have which score of \(name.isolated).", all,
            probabilities.allSatisfy(\.isEmpty) ? "output" : "logit",
            [(all.counts, "accent", "sequences")], limit: limit, caption: "Scores of \(name.isolated)")
    }
}
