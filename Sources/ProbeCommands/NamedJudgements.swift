import AttentionProbes

/// The judgement of a probe on one of several sets, with the set's name.
struct NamedJudgement: Encodable {
    let name: String
    let judgement: Judgement

    private enum CodingKeys: String, CodingKey { case name }

    /// The judgement's own keys, and the name beside them.
    func encode(to encoder: any Encoder) throws {
        try judgement.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
    }
}

/// The judgements of a probe on several sets.
struct NamedJudgements: Encodable {
    let dataSets: [NamedJudgement]

    private enum CodingKeys: String, CodingKey { case dataSets = "data_sets" }

    /// The probe, and a line a set: how many sequences, the usual metric with its interval, and others; below it what
    /// was asked for beside metrics.
    func table(_ probe: Probe) -> String {
        let task = probe.task
        let (first, others) = Self.columns(task)
        let rows = dataSets.map { set -> [String] in
            let evaluation = set.judgement.evaluation
            func text(_ metric: Metric) -> String {
                guard evaluation.invisibility(metric) == nil, let own = evaluation(metric) else { return "–" }
                return own.value.fixed(3)
            }
            let interval = evaluation(first)?.interval.map {
                "\($0.lowerBound.fixed(3)) to \($0.upperBound.fixed(3))"
            }
            let rates = evaluation.atThreshold.map { [$0.recall, $0.falsePositiveRate] } ?? []
            return [String(evaluation.sequences), text(first), interval ?? ""]
                + others.map(text) + rates.map { $0?.value.fixed(3) ?? "–" }
        }
        let rates = task.isBinary ? ["recall", "FPR"] : []
        let head = ["N", first.name, "95 %"] + others.map { Self.shortNames[$0] ?? $0.name } + rates
        let remarks = dataSets.flatMap { set in
            others.compactMap { metric in
                set.judgement.evaluation.invisibility(metric).map {
                    "\(set.name.printable.shortened(to: 22)): \($0)"
                }
            }
        }
        let threshold =
            task.isBinary
            ? ["recall and FPR are those at the threshold, \(probability(probe.threshold))"] : []
        let gaps = [2, 2, 1] + others.map { _ in 2 } + rates.map { _ in 2 }
        // Names have what figures leave of the 80.
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].displayWidth }.max()! }
        let names = String.shortened(
            dataSets.map(\.name.printable), to: max(8, 80 - (widths + gaps).reduce(0, +)))
        let summary = probe.nameLines.enumerated().map { "\($0 == 0 ? "probe  " : "       ")\($1)" }
        let lines =
            summary + ["task   \(task.summary)", ""]
            + inColumns(
                [["data"] + head] + zip(names, rows).map { [$0] + $1 }, gaps: gaps)
            + threshold
            + remarks
        let further = dataSets.flatMap { set in
            set.judgement.furtherTables.map { "\(set.name.printable): \($0)" }
        }
        let groups = dataSets.compactMap { set in
            set.judgement.evaluation.groupTable.map { "\(set.name.printable)\n\($0)" }
        }
        return ([lines.map { $0.shortened(to: 80) }.joined(separator: "\n")] + groups + further)
            .joined(separator: "\n\n")
    }

    // The metric with an interval, and those beside it.
    private static func columns(_ task: ProbeTask) -> (Metric, [Metric]) {
        switch task.kind {
        case .binary: (.auroc, [.accuracy, .recallAt1FPR])
        case .multiclass: (.accuracy, [.auroc, .f1])
        case .multilabel: (.auroc, [.f1, .accuracy])
        case .regression: (.r2, [.meanSquaredError])
        }
    }

    private static let shortNames: [Metric: String] = [.recallAt1FPR: "at 1% FPR", .meanSquaredError: "MSE"]
}
