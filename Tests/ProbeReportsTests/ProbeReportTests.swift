import Foundation
import AttentionProbes
@testable import ProbeReports
import TestSupport
import Testing

@Suite("Reports of every task and kind")
struct ProbeReportTests {
    private let options = ProbeReport.Options(bootstrap: nil, probeName: "a probe")

    private func set(_ targets: Targets?, classes: [String]? = nil, lengths: [Int]) throws -> ActivationSet {
        let batch = try randomBatch(lengths: lengths, width: 8, seed: 7)
        return try ActivationSet([ActivationFile(batch, targets: targets, classes: classes)])
    }

    private func probe(
        _ configuration: ProbeConfiguration, _ task: ProbeTask, training: TrainingRecord = [:]
    )
        -> Probe
    {
        let count = configuration.architecture(width: 8, outputs: task.outputs).tensors.parameterCount
        return Probe(
            configuration, width: 8, task: task, parameters: randomFloats(count, seed: 9, scale: 0.5),
            training: training)
    }

    private func count(_ text: String, _ part: String) -> Int { text.components(separatedBy: part).count - 1 }

    private let lengths = (0..<60).map { 4 + $0 % 9 }

    @Test func severalClasses() throws {
        let names = ["a", "b", "c"]
        let data = try set(.classes((0..<60).map { $0 % 3 }), classes: names, lengths: lengths)
        let report = try ProbeReport(
            probe(.attention(heads: 2), .multiclass(classes: names)), data, options: options)
        let evaluation = try #require(report.evaluation)
        #expect(evaluation.byClass.map(\.sequences) == [20, 20, 20])
        // ROC, precision and scores of each class, reliability, lengths, entropy, position.
        #expect(count(report.html, "role=\"img\"") == 13)
        for words in [
            "Confusion matrix", "Metrics by class", "balanced accuracy", "The class with the highest",
        ] {
            #expect(report.html.contains(words), "\(words)")
        }
        // The field's words: metric, fraction, unmasked token.
        let others = try Regex("\\b([Ff]igures|[Ss]hares?|visible tokens)\\b")
        #expect(report.html.firstMatch(of: others) == nil)
        // Cells of the confusion matrix are shaded, others not.
        #expect(report.html.contains("<td class=\"number\">") && !report.html.contains("shade-\""))
        let matrix = try #require(evaluation.confusionMatrix)
        #expect(evaluation.byClass[1].recall == Double(matrix.counts[1][1]) / 20)
    }

    /// A page of many classes and heads stays a page.
    @Test func manyClassesAndHeads() throws {
        let names = (0..<300).map { "class \($0)" }
        let data = try set(.classes((0..<60).map { $0 * 5 }), classes: names, lengths: lengths)
        let report = try ProbeReport(
            probe(.attention(heads: 40), .multiclass(classes: names)), data, options: options)
        #expect(report.html.utf8.count < 5_000_000)
        #expect(report.html.contains("The most frequent mistakes among 300 classes"))
        #expect(report.html.contains("Plots are of the first 24 of 300 classes"))
        #expect(report.evaluation?.byClass.count == 300)
    }

    /// Numbered from 1, each under its bar, whatever their number.
    @Test func headsOfTheEntropyPlot() {
        func labels(_ heads: Int) -> [String] {
            AttentionSummary.entropyPlot(Array(repeating: 0.5, count: heads)).xTicks.map(\.label)
        }
        #expect(labels(1) == ["1"])
        #expect(labels(16) == (1...16).map(String.init))
        #expect(labels(40) == ["5", "10", "15", "20", "25", "30", "35", "40"])
        let plot = AttentionSummary.entropyPlot(Array(repeating: 0.5, count: 40))
        #expect(plot.bars.count == 40)
        let middle = Double(plot.bars[4].x)! + Double(plot.bars[4].width)! / 2
        #expect(abs(middle - Double(plot.xTicks[0].place)!) < 0.02)
    }

    /// What the page shows first has its intervals, whatever the task.
    @Test func headlinesHaveIntervals() throws {
        var options = options
        options.bootstrap = Bootstrap(replicates: 20)
        let values = Matrix(rows: 60, columns: 2, storage: (0..<120).map { Float($0 * 7 / 3 % 2) })
        for (task, kinds) in [(ProbeTask.multilabel(classes: ["x", "y"]), 4), (.regression(outputs: 2), 2)] {
            let data = try set(.values(values), classes: task.classes, lengths: lengths)
            let html = try ProbeReport(probe(.mean, task), data, options: options).html
            #expect(count(html, "<span>95 %: ") == kinds, "\(task)")
        }
    }

    @Test func oddsOfLargeLogits() {
        let odds = ClassMetrics.logOdds([900, 0, -5])
        #expect(abs(odds[0] - 899.9933) < 1e-3 && odds[1] == -900 && odds[2] == -905)
        let even = ClassMetrics.logOdds([1, 1, 1])
        #expect(even.allSatisfy { abs($0 + 0.6931472) < 1e-6 })
        #expect(ClassMetrics.logOdds([3]) == [0])
    }

    @Test func severalLabels() throws {
        let labels = Matrix(
            rows: 60, columns: 2, storage: (0..<120).map { Float($0 / 2 % ($0 % 2 + 2) == 0 ? 1 : 0) })
        let data = try set(.values(labels), classes: ["x", "y"], lengths: lengths)
        let report = try ProbeReport(
            probe(ProbeConfiguration(.multimax, heads: 2), .multilabel(classes: ["x", "y"])), data,
            options: options)
        #expect(count(report.html, "role=\"img\"") == 7 && report.attention == nil)
        #expect(report.html.contains("its tokens are shaded by their scores"))
        #expect(report.html.contains("wrong in some class") && !report.html.contains("Confusion matrix"))
        #expect(report.html.contains("Accuracy and AUROC of the short, middle and long sequences"))
        #expect(report.html.contains("\"labels\":[\"x\",\"y\"]"))
    }

    @Test func numbers() throws {
        let targets = Matrix(rows: 60, columns: 2, storage: randomFloats(120, seed: 2))
        let data = try set(.values(targets), lengths: lengths)
        let report = try ProbeReport(probe(.mean, .regression(outputs: 2)), data, options: options)
        #expect(count(report.html, "role=\"img\"") == 5)
        #expect(report.html.contains("R² of the short, middle and long sequences"))
        // Numbers are no classes.
        #expect(!report.html.contains("\"labels\":") && !report.html.contains("\"outcome\":"))
        #expect(report.html.contains("Predictions against targets") && report.html.contains("Largest errors"))
        #expect(!report.html.contains("Nearest the threshold"))
    }

    @Test func withoutLabels() throws {
        let data = try set(nil, lengths: lengths)
        let report = try ProbeReport(
            probe(.attention(heads: 1), .binary(classes: ["no", "yes"])), data, options: options)
        #expect(report.evaluation == nil && report.attention != nil)
        #expect(report.html.contains("These data have no labels") && !report.html.contains("AUROC"))
        #expect(report.html.contains("Most confident") && !report.html.contains("Worst mistakes"))
        #expect(report.html.contains("which tokens receive most cannot be said"))
        #expect(report.html.contains("[3]"), "tokens by their number")
    }

    @Test func ofOneClassAndOneSequence() throws {
        let data = try set(.classes([1]), classes: ["no", "yes"], lengths: [1])
        let report = try ProbeReport(
            probe(ProbeConfiguration(.absmax), .binary(classes: ["no", "yes"])), data, options: options)
        #expect(report.html.contains("nothing is shaded") && !report.html.contains("ROC curve"))
        #expect(!report.html.contains("nan") && !report.html.contains(">inf"))
    }

    @Test func whatIsKnownOfTheTraining() throws {
        let training: TrainingRecord = [
            "loss_curve": "[[1,0.7,0.71],[2,0.4,null],[3,0.3,0.5]]", "seed": "7", "other": "[1]",
            "selection":
                #"{"metric":"auroc","folds":5,"candidates":[{"name":"worse","score":0.8},{"name":"better","score":0.98,"low":0.97,"high":0.99,"folds":[0.97,0.99],"seconds":1.25,"converged":true,"chosen":true}]}"#,
            "threshold_rule":
                #"{"false_positive_rate":0.01,"confidence":0.95,"bound":0.012,"negatives":500,"false_positives":3}"#,
        ]
        let binary = ProbeTask.binary(classes: ["no", "yes"])
        let trained = probe(.attention(heads: 1), binary).deployed(
            threshold: 0.5, calibration: .platt(slope: 0.5, intercept: 0.1), noting: training)
        let record = trained.training
        #expect(record[.lossCurve]?.points.map(\.heldOut) == [0.71, nil, 0.5])
        #expect(record.plainValues.map(\.name) == ["other", "seed"])
        let data = try set(.classes((0..<60).map { $0 % 2 }), classes: ["no", "yes"], lengths: lengths)
        let html = try ProbeReport(trained, data, options: options).html
        let better = try #require(html.range(of: "better</th>")).lowerBound
        #expect(better < (try #require(html.range(of: "worse</th>"))).lowerBound)
        for words in [
            "Learning curve", "Selection by auroc over 5 folds", "platt, slope 0.5, intercept 0.1",
            "at 1 % or below with 95 % confidence: 3 of 500 negatives passed, at most 1.2 % in truth",
        ] { #expect(html.contains(words), "\(words)") }
        // What cannot be read stays as it is.
        let broken: TrainingRecord = ["selection": "{}", "loss_curve": "x", "threshold_rule": "[]"]
        #expect(broken.plainValues.count == 3 && broken.selectionTable == nil && broken.lossPlot == nil)
    }

    /// Kinds with attention over a sequence show it, the others say that they have none.
    @Test(arguments: ProbeKind.allCases)
    func pagesOfEveryKind(kind: ProbeKind) throws {
        let data = try set(
            .classes((0..<12).map { $0 % 2 }), classes: ["no", "yes"], lengths: Array(lengths.prefix(12)))
        // Units below and above the width.
        for units in [3, 20] {
            let report = try ProbeReport(
                probe(ProbeConfiguration(kind, units: units), .binary(classes: ["no", "yes"])), data,
                options: options)
            #expect((report.attention != nil) == kind.attends)
            #expect(report.html.contains(#""attention":"softmax""#) == kind.attends)
            #expect(report.html.contains("has no attention") == (kind.tokenQuantity == .score))
            #expect(report.html.contains(#""quantity":"contribution""#) == kind.attends)
        }
    }

    @Test func pagesStaySmallUnlessAskedFor() throws {
        let data = try set(
            .classes((0..<40).map { $0 % 2 }), classes: ["no", "yes"],
            lengths: Array(repeating: 3000, count: 40))
        let probe = probe(.attention(heads: 8), .binary(classes: ["no", "yes"]))
        var options = options
        let usual = try ProbeReport(probe, data, options: options)
        #expect(
            (1_000_000..<5_000_000).contains(usual.html.utf8.count) && usual.html.contains("more were chosen")
        )
        options.documents = 8
        let asked = try ProbeReport(probe, data, options: options)
        #expect(asked.html.utf8.count > 5_000_000 && !asked.html.contains("more were chosen"))
        options.documents = 0
        let none = try ProbeReport(probe, data, options: options).html
        #expect(none.contains("No document was asked for") && !none.contains("chosen and left out"))
        // The same page in every run, on any number of threads.
        options.documents = 1
        options.threads = 1
        let alone = try ProbeReport(probe, data, options: options)
        options.threads = 3
        #expect(try ProbeReport(probe, data, options: options).html == alone.html)
    }

    @Test func documentsTellWhatTheyShould() throws {
        let data = try needleSet(count: 200, width: 8)
        let probe = probe(.mean, .binary(classes: ["none", "needle"]))
        let scored = JudgedSet(try probe.scored(data))
        func groups(_ seed: UInt64) -> [DocumentGroup: [Int]] {
            let selection = DocumentSelection(
                scored.judgements, probe.task, isLabelled: true, count: 5, seed: seed)
            return Dictionary(uniqueKeysWithValues: selection.groups.map { ($0.group, $0.indices) })
        }
        let (first, second) = (groups(1), groups(2))
        func logit(_ index: Int) -> Float { scored.logits[index][0] }
        let hits = try #require(first[.hits])
        #expect(hits.allSatisfy { scored.judgements[$0].outcome == "true positive" })
        #expect(hits.map(logit) == hits.map(logit).sorted(by: >))
        let best = data.indices.filter { scored.judgements[$0].isHit }.map(logit).max()
        #expect(logit(hits[0]) == best)
        let mistakes = try #require(first[.mistakes])
        #expect(mistakes.allSatisfy { scored.judgements[$0].outcome!.hasPrefix("false") })
        #expect(mistakes.map { abs(logit($0)) } == mistakes.map { abs(logit($0)) }.sorted(by: >))
        let nearest = try #require(first[.nearest]).map { abs(logit($0)) }
        #expect(nearest[0] == data.indices.map { abs(logit($0)) }.min())
        #expect(first[.random] == groups(1)[.random] && first[.random] != second[.random])
    }
}
