// What `report.mustache` shows, as values with the names that it uses.
import Activations
import ProbeMetrics
import ProbeSelection
import Probes

/// The content of a probe's page.
struct ReportContent {
    let subtitle: String
    /// What is not there, and why.
    let notes: [String]
    let headline: [HeadlineMetric]
    let metrics: Table?
    let facts: [Fact]
    let threshold: [String]
    let panels: Panels?
    let plots: [Plot]
    let confusion: Table?
    /// Each class, or each output of a regression.
    let classes: Table?
    let classesTitle: String
    /// Rates of each group; nil where nobody asked for groups.
    let groups: Table?
    /// What controls reach; nil where nobody asked for controls.
    let controls: ControlSection?
    /// Whether there is a probe whose training one might ask about.
    let isTrained: Bool
    let lossPlot: Plot?
    /// The metric by layer; nil where the layer was not selected.
    let layerPlot: Plot?
    let selection: Table?
    let training: Table?
    let attention: Attention?

    struct Fact { let name, value: String }

    /// Things of which one is shown at a time.
    struct Panels {
        let label: String
        let isChoice: Bool
        let panels: [Panel]

        init?(_ label: String, _ panels: [Panel]) {
            guard !panels.isEmpty else { return nil }
            self.label = label
            self.panels = panels
            isChoice = panels.count > 1
        }
    }

    struct Panel { let name: String; var plots: [Plot] = []; var table: Table? = nil }
    struct Attention {
        let plots: [Plot]; let tokens: Panels?; let hasTokens: Bool; let differentTokens, leastCount: String
    }

    /// Classes that get plots of their own.
    private static let mostPanels = 24
    /// Classes of a whole confusion matrix.
    private static let mostConfused = 40

    init(
        _ probe: Probe, _ data: ActivationSet, _ scored: JudgedSet, evaluation: Evaluation?,
        controls: ControlMetrics? = nil, attention summary: AttentionSummary?, entropyRatio: [Double]?,
        options: ProbeReport.Options
    ) {
        let record = probe.training
        let (task, names) = (probe.task, probe.outputNames)
        subtitle = Self.subtitle(probe, data)
        headline = evaluation.map { HeadlineMetric.all($0, scored, controls) } ?? []
        metrics = evaluation.map(Self.metrics)
        let parts = record.summaryParts.map(\.isolated)
        let trained = parts.isEmpty ? [] : [Fact(name: "training", value: parts.joined(separator: ", "))]
        facts = Self.facts(probe, data) + trained
        threshold = ThresholdText(probe, evaluation).sentences

        var notes: [String] = []
        if scored.targets == nil {
            notes.append(
                "These data have no labels: there are scores and attention, and no metrics of how right they are."
            )
        }
        let shownNames = names.prefix(Self.mostPanels)
        if shownNames.count < names.count {
            notes.append(
                "Plots are of the first \(shownNames.count) of \(names.count) "
                    + (task.classes == nil ? "outputs" : "classes") + "; tables have all.")
        }
        self.notes = notes

        let isBinary = task.isBinary
        let scoreName = task.hasThreshold ? "logit" : "log odds"
        panels = Panels(
            task.classes == nil ? "Output" : "Class",
            shownNames.enumerated().map { o, name in
                let plots: [Plot]
                if let classes = evaluation?.byClass, !classes.isEmpty {
                    plots = classes[o].plots(
                        id: "class-\(o)", other: isBinary ? task.classes![0].isolated : "other classes",
                        limit: scored.limit, scoreName: scoreName)
                } else if scored.targets == nil {
                    plots = [scored.unlabelledPlot(output: o, name: name)]
                } else {
                    plots = scored.regressionPlots(output: o, name: name)
                }
                return Panel(name: name, plots: plots)
            })
        plots = [
            evaluation?.reliabilityPlot(confidenceOf: isBinary ? names[0].isolated : "the predicted class"),
            evaluation?.lengthPlot,
        ].compactMap(\.self)
        confusion = evaluation?.confusionMatrix.map { matrix in
            let classes = task.classes ?? []
            return classes.count <= Self.mostConfused
                ? Table(matrix, classes: classes) : Table(mistakesOf: matrix, classes: classes)
        }
        classes =
            evaluation.flatMap { $0.byClass.count > 1 ? Self.classTable($0.byClass) : nil }
            ?? scored.outputTable(names)
        classesTitle = task.classes == nil ? "Outputs" : "Classes"
        self.controls = controls.flatMap { own in evaluation.map { ControlSection(own, $0) } }
        groups = evaluation.flatMap { Self.groupTable($0.byGroup) }
        isTrained = !data.areScores
        lossPlot = record.lossPlot
        layerPlot = record[.selection]?.layerPlot
        selection = record.selectionTable
        training = Self.trainingTable(probe)
        attention = Self.attention(summary, entropyRatio, data)
    }

    private static func subtitle(_ probe: Probe, _ data: ActivationSet) -> String {
        let task = probe.task.classes.map { classes in
            "\(probe.task.name): " + classes.prefix(6).map(\.isolated).joined(separator: ", ")
                + (classes.count > 6 ? ", … (\(classes.count) classes)" : "")
        }
        let tokens = data.areScores ? "" : " · \(data.tokenCount.grouped("token"))"
        return "\(task ?? probe.task.name) · \(data.count.grouped("sequence"))\(tokens)"
    }

    private static func metrics(_ evaluation: Evaluation) -> Table {
        let counts = [("sequences", evaluation.sequences), ("tokens", evaluation.tokens)]
            .filter { $0.1 > 0 }.map { [$0.0, String($0.1), "–", "–"] }
        let metrics = evaluation.metrics.map {
            evaluation.invisibility($0.metric) != nil
                ? [$0.metric.name, "–", "–", "–"]
                : [
                    $0.metric.name, brief($0.value, digits: 6), brief($0.interval?.lowerBound, digits: 6),
                    brief($0.interval?.upperBound, digits: 6),
                ]
        }
        let threshold = evaluation.threshold.map { [["threshold", brief($0, digits: 6), "–", "–"]] } ?? []
        let rates = [
            ("recall at the threshold", evaluation.atThreshold?.recall),
            ("false-positive rate at the threshold", evaluation.atThreshold?.falsePositiveRate),
        ].compactMap { name, rate in
            rate.map {
                [name, brief($0.value, digits: 6), brief($0.low, digits: 6), brief($0.high, digits: 6)]
            }
        }
        return Table(
            "All metrics", ["metric", "value", "95 % from", "to"], counts + metrics + threshold + rates)
    }

    private static func facts(_ probe: Probe, _ data: ActivationSet) -> [Fact] {
        let names = data.fileNames
        let source = Fact(
            name: data.areScores ? "scores" : "data",
            value: names.prefix(3).map(\.isolated).joined(separator: ", ")
                + (names.count > 3 ? " and \(names.count - 3) more" : ""))
        let positive = probe.task.positiveClass.map { [Fact(name: "positive class", value: $0)] } ?? []
        guard !data.areScores else { return [source] + positive }
        let lengths = data.indices.map { data.length($0) }.sorted()
        let metadata = data.files[0].metadata
        let origin = ["model", "layer", "task"].compactMap { key in
            metadata[key].map { Fact(name: key, value: $0) }
        }
        return [
            Fact(
                name: "probe",
                value: probe.configuration.parts.isEmpty
                    ? probe.configuration.summary : "ensemble: " + probe.partNames.joined(separator: ", ")),
            Fact(name: "width", value: probe.width.grouped), source,
        ] + positive + origin + [
            Fact(
                name: "lengths",
                value:
                    "\(lengths[0]) to \(lengths[lengths.count - 1]) tokens, median \(lengths[lengths.count / 2])"
            )
        ]
    }

    private static func classTable(_ classes: [ClassMetrics]) -> Table {
        return Table(
            "Metrics by class",
            ["class", "sequences", "precision", "recall", "F1", "AUROC", "average precision"],
            classes.map {
                [
                    $0.name, String($0.sequences), fixed($0.precision, 4), fixed($0.recall, 4),
                    fixed($0.f1, 4),
                    fixed($0.auroc, 4), fixed($0.averagePrecision, 4),
                ]
            })
    }

    private static func groupTable(_ groups: [GroupMetrics]) -> Table? {
        guard let first = groups.first else { return nil }
        let names = first.rates == nil ? ["accuracy"] : ["accuracy", "recall", "false_positive_rate"]
        return Table(
            "Rates by group, at the threshold, with the intervals of Clopper and Pearson",
            ["group", "sequences"]
                + names.flatMap { [String($0.map { $0 == "_" ? " " : $0 }), "95 % from", "to"] },
            groups.map { group in
                [group.name, String(group.sequences)]
                    + names.flatMap { name in
                        let rate = group.values.first { $0.key == name }?.rate
                        return [fixed(rate?.value, 4), fixed(rate?.low, 4), fixed(rate?.high, 4)]
                    }
            })
    }

    private static func trainingTable(_ probe: Probe) -> Table? {
        var rows = probe.training.plainValues.map { [$0.name, $0.value] }
        if let calibration = probe.calibration { rows.append(["calibration", calibration.summary]) }
        return rows.isEmpty ? nil : Table("How the probe was trained", ["setting", "value"], names: 2, rows)
    }

    private static func attention(
        _ summary: AttentionSummary?, _ ratios: [Double]?, _ data: ActivationSet
    ) -> Attention? {
        guard let summary else { return nil }
        let heads = summary.tokens.first?.shares.count ?? 1
        var tables = [Panel(name: "all heads", table: summary.table(head: nil))]
        if heads > 1 {
            tables += (0..<heads).map { Panel(name: "head \($0 + 1)", table: summary.table(head: $0)) }
        }
        return Attention(
            plots: [ratios.map(AttentionSummary.entropyPlot), summary.positionPlot].compactMap(\.self),
            tokens: data.namesTokens ? Panels("Head", tables) : nil, hasTokens: data.namesTokens,
            differentTokens: summary.differentTokens.grouped, leastCount: summary.leastCount.grouped)
    }
}

extension Calibration {
    /// "platt, slope 0.5, intercept 0.1".
    var summary: String {
        switch self {
        case .platt(let slope, let intercept):
            "platt, slope \(brief(slope)), intercept \(brief(intercept))"
        case .isotonic(let logits, _): "isotonic, \(logits.count) knots"
        }
    }
}
