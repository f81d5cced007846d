import AttentionProbes

extension StreamingMetrics {
    /// How sequences fare that are flagged as soon as a prefix reaches the threshold, beside finished ones: at most 80
    /// wide.
    var table: String {
        func rate(_ rate: ObservedRate?) -> String {
            rate.map { "\(decimal($0.value)) (\(decimal($0.low)) to \(decimal($0.high)))" } ?? "–"
        }
        func number(_ value: Double?) -> String { value.map(decimal) ?? "–" }
        func quartiles(_ values: Quartiles?, _ text: (Double) -> String) -> String {
            values.map { "\(text($0.median)) (\(text($0.lower)) to \(text($0.upper)))" } ?? "–"
        }
        var rows = [
            ["threshold \(probability(threshold))", "after every token", "finished"],
            ["recall", rate(streaming.recall), rate(finished.recall)],
            ["false-positive rate", rate(streaming.falsePositiveRate), rate(finished.falsePositiveRate)],
            ["AUROC", number(streaming.curve.auroc), number(finished.curve.auroc)],
        ]
        let negatives = finished.falsePositiveRate?.sequences ?? 0
        rows += curve.filter { 0 < $0.falsePositiveRate && $0.falsePositiveRate <= 0.1 }.map { point in
            let unseen = point.falsePositiveRate.invisibility(negatives: negatives)
            return ["recall at \(significant(point.falsePositiveRate * 100)) % FPR"]
                + (unseen.map { [$0] } ?? [decimal(point.recall), decimal(point.finishedRecall)])
        }
        rows += [
            ["first flag, token", quartiles(firstFlagTokens) { $0.fixed(0) }],
            ["first flag, fraction", quartiles(firstFlagFraction) { $0.fixed(2) }],
        ]
        let widths = (0..<2).map { column in
            rows.filter { $0.count > 2 || column == 0 }.map { $0[column].displayWidth }.max() ?? 0
        }
        let lines = rows.map { row in
            let last = row.count > 2 ? "  " + row[2] : ""
            return row[0].filled(to: widths[0] + 2) + row[1].filled(to: row.count > 2 ? widths[1] : 0) + last
        }
        return "flagged as soon as the text so far reaches the threshold\n" + lines.joined(separator: "\n")
    }
}
