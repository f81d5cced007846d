// The plots of all classes together, of training and of attention.
import ProbeMetrics
import ProbeSelection
import Probes

extension Evaluation {
    /// Confidence against how often it was right; nil where the task has none.
    func reliabilityPlot(confidenceOf name: String) -> Plot? {
        guard !reliability.isEmpty else { return nil }
        var plot = Plot(
            "reliability", "Reliability",
            "In each bin of confidence, how often it was right, with 95 % intervals; on the diagonal both agree. The mean "
                + "difference is \(fixed(expectedCalibrationError ?? 0)).",
            x: .fraction("mean probability of \(name)"), y: .fraction("fraction that came true"),
            table: Table(
                "Reliability",
                [
                    "from", "to", "sequences", "mean probability", "fraction that came true", "95 % from",
                    "to",
                ],
                names: 0,
                reliability.map { bin in
                    [
                        brief(bin.lower), brief(bin.upper), String(bin.count),
                        brief(bin.confidence, digits: 6),
                        brief(bin.fraction, digits: 6), brief(bin.rate?.low, digits: 6),
                        brief(bin.rate?.high, digits: 6),
                    ]
                }))
        // The lowest quarter has how many sequences each bin is of.
        let most = reliability.map(\.count).max() ?? 1
        plot.bars(
            reliability.map { ($0.lower...$0.upper, 0...0.25 * Double($0.count) / Double(most)) }, "muted",
            "sequences a bin, at most \(most.grouped)")
        plot.line([(0, 0), (1, 1)], "guide", "perfectly calibrated")
        for bin in reliability {
            guard let rate = bin.rate else { continue }
            plot.whisker((bin.confidence, rate.low), (bin.confidence, rate.high), "whisker")
        }
        plot.line(reliability.map { ($0.confidence, $0.fraction) }, "accent")
        plot.dots(
            reliability.map { ($0.confidence, $0.fraction) }, "accent",
            "calibration error \(fixed(expectedCalibrationError ?? 0))")
        return plot
    }

    /// Accuracy and AUROC, or R², of the short, middle and long sequences.
    var lengthPlot: Plot? {
        // The last of those that the task has stands out.
        let all = byLength.first?.values.map(\.metric) ?? []
        let metrics = all.filter { metric in byLength.contains { $0(metric) != nil } }
        guard byLength.count > 1, !metrics.isEmpty else { return nil }
        let names = byLength.map { third in
            third.tokens.count == 1
                ? "\(third.tokens.lowerBound)" : "\(third.tokens.lowerBound)–\(third.tokens.upperBound)"
        }
        let title = metrics.map(\.name).joined(separator: " and ")
        let values = metrics.flatMap { metric in byLength.compactMap { $0(metric) } }
        var plot = Plot(
            "length", "By length",
            "\(title.prefix(1).uppercased() + title.dropFirst()) of the short, middle and long sequences.",
            x: Axis(0...Double(names.count), "unmasked tokens"),
            // R² may be below 0.
            y: Axis(
                min(0, values.min()!)...1, metrics.count > 1 ? "score" : metrics[0].name, isRounded: true),
            table: Table(
                "Metrics by length", ["unmasked tokens", "sequences"] + metrics.map(\.name),
                zip(names, byLength).map { name, third in
                    [name, String(third.sequences)] + metrics.map { brief(third($0), digits: 6) }
                }), xNames: names)
        for (place, metric) in metrics.enumerated() {
            let start = metrics.count > 1 ? [0.18, 0.52][place] : 0.35
            plot.bars(
                byLength.enumerated().compactMap { i, third in
                    third(metric).map {
                        (Double(i) + start...Double(i) + start + 0.3, min(0, $0)...max(0, $0))
                    }
                }, metric == all.last ? "accent" : "muted", metric.name)
        }
        if values.contains(where: { $0 < 0 }) { plot.line([(0, 0), (Double(names.count), 0)], "guide") }
        return plot
    }
}

extension TrainingRecord {
    /// The loss after each epoch, of many after every second, third, …: some 500 at most, and the last.
    var lossPlot: Plot? {
        guard let all = self[.lossCurve]?.points, all.count > 1 else { return nil }
        let step = all.count / 500 + 1
        let lossCurve = all.indices.filter { ($0 + 1) % step == 0 || $0 == all.count - 1 }.map { all[$0] }
        let values = lossCurve.flatMap { [$0.loss, $0.heldOut].compactMap(\.self) }.filter(\.isFinite)
        guard let most = values.max(), let first = lossCurve.first, let last = lossCurve.last else {
            return nil
        }
        var plot = Plot(
            "loss", "Learning curve",
            "The loss goes from \(brief(first.loss)) to \(brief(last.loss)) over the training.",
            x: Axis(first.epoch...max(first.epoch, last.epoch), "epoch"),
            y: Axis(min(0, values.min()!)...most, "loss"),
            table: Table(
                "Learning curve", ["epoch", "loss", "loss on held-out sequences"], names: 0,
                lossCurve.map {
                    [
                        brief($0.epoch), brief($0.loss, digits: 6), brief($0.heldOut, digits: 6),
                    ]
                }))
        plot.line(lossCurve.map { ($0.epoch, $0.loss) }, "accent", "training")
        let heldOut = lossCurve.compactMap { point in point.heldOut.map { (x: point.epoch, y: $0) } }
        if !heldOut.isEmpty { plot.line(heldOut, "positive", "held out") }
        return plot
    }

    /// The candidates that training chose from, the best first.
    var selectionTable: Table? {
        guard let selection = self[.selection] else { return nil }
        // Files from before have the mean of the folds alone.
        func rank(_ row: SelectionResult.Row) -> Double { row.pooled ?? row.score ?? -.infinity }
        let ranked = selection.candidates.sorted { rank($0) > rank($1) }
        return Table(
            "Selection by \(selection.metric.isolated)" + (selection.folds.map { " over \($0) folds" } ?? ""),
            [
                "candidate", "\(selection.metric), all folds together", "mean of folds", "from", "to",
                "seconds",
                "converged", "chosen",
            ],
            ranked.map {
                [
                    $0.name, brief($0.pooled), brief($0.score), brief($0.low), brief($0.high),
                    brief($0.seconds, digits: 3),
                    $0.converged.map { $0 ? "yes" : "no" } ?? "–", $0.chosen == true ? "chosen" : "",
                ]
            })
    }
}

extension AttentionSummary {
    /// How evenly each head looks.
    static func entropyPlot(_ ratios: [Double]) -> Plot {
        let heads = ratios.count
        var plot = Plot(
            "entropy", "Entropy of each head",
            "The entropy of a head's attention over that of uniform attention: 1 looks everywhere alike, 0 "
                + "at one token. The lowest is \(fixed(ratios.min() ?? 0, 2)), the highest "
                + "\(fixed(ratios.max() ?? 0, 2)).",
            x: Axis(0.5...Double(heads) + 0.5, "head", ticks: min(16, heads)), y: .fraction("entropy ratio"),
            table: Table(
                "Entropy ratio", ["head", "entropy ratio"],
                ratios.enumerated().map { [String($0 + 1), brief($1, digits: 6)] }))
        plot.bars(
            ratios.enumerated().map { (Double($0) + 0.7...Double($0) + 1.3, 0...min(1, max(0, $1))) },
            "accent")
        return plot
    }

    /// Mean attention along the sequence, a line a head.
    var positionPlot: Plot {
        let (heads, parts) = (byPosition.rows, byPosition.columns)
        let shown = heads > 1 && heads <= Self.mostHeads ? 0..<heads : 0..<0
        let middles = (0..<parts).map { (Double($0) + 0.5) / Double(parts) }
        let means = (0..<parts).map { part in
            (0..<heads).reduce(0.0) { $0 + Double(byPosition[$1, part]) } / Double(heads)
        }
        let most = Double(byPosition.storage.max() ?? 1)
        let peak = means.indices.max { means[$0] < means[$1] }!
        var plot = Plot(
            "position", "Attention along the sequence",
            "Mean attention by relative position, as a multiple of uniform attention; over all heads most "
                + "falls around \(Int(100 * middles[peak])) % of the way, \(brief(means[peak], digits: 3)) times "
                + "the uniform.",
            x: Axis(0...1, "relative position"), y: Axis(0...max(1, most), "times uniform"),
            table: Table(
                "Mean attention by relative position",
                ["position", "all heads"] + shown.map { "head \($0 + 1)" }, names: 0,
                (0..<parts).map { part in
                    [brief(middles[part]), brief(means[part])]
                        + shown.map { brief(Double(byPosition[$0, part])) }
                }))
        plot.line([(0, 1), (1, 1)], "guide", "uniform")
        for h in shown {
            plot.line(
                middles.indices.map { (middles[$0], Double(byPosition[h, $0])) }, "thin",
                h == 0 ? "each head" : nil)
        }
        plot.line(
            middles.indices.map { (middles[$0], means[$0]) }, "accent", heads > 1 ? "all heads" : "attention")
        return plot
    }

    /// The tokens that a head attends to most; nil stands for all heads together.
    func table(head: Int?, count: Int = 12) -> Table {
        func fraction(_ token: Token) -> Double {
            head.map { token.shares[$0] } ?? token.shares.reduce(0, +) / Double(token.shares.count)
        }
        let first = tokens.sorted { fraction($0) / $0.uniform > fraction($1) / $1.uniform }.prefix(count)
        return Table(
            "Tokens that receive most, " + (head.map { "head \($0 + 1)" } ?? "all heads"),
            ["token", "times uniform", "occurrences", "fraction of attention"],
            first.map {
                [
                    visible($0.text), fixed(fraction($0) / $0.uniform, 2), String($0.count),
                    fixed(fraction($0), 5),
                ]
            })
    }
}

// Of a token that is all white space, its escapes.
private func visible(_ text: String) -> String {
    text.allSatisfy(\.isWhitespace) ? String(reflecting: text) : text
}
