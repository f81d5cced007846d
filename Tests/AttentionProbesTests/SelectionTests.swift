@testable import AttentionProbes
import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Selection")
struct SelectionTests {
    private func grouped(_ data: ActivationSet, of size: Int) -> ActivationSet {
        // Neighbours of both classes.
        data.grouped(data.indices.map { $0 / size })
    }

    private func candidates() -> [Candidate] {
        var grid = CandidateGrid()
        grid.kinds = [.mean, .attention]
        grid.heads = [1, 2]
        grid.l2 = [0.01, 0.1]
        return grid.candidates(for: .binary(classes: ["a", "b"])) { candidate in
            candidate.options.epochs = 25
            candidate.options.learningRate = 0.02
            candidate.options.tokenDropout = 0
        }
    }

    private func selection() -> Selection {
        var selection = Selection(candidates())
        selection.folds = 4
        selection.average = 2
        return selection
    }

    @Test func foldsAreStratifiedAndKeepGroups() throws {
        let data = grouped(try needleSet(count: 96), of: 4)
        let folds = try data.folds(4, seed: 3)
        let (same, other) = (try data.folds(4, seed: 3), try data.folds(4, seed: 4))
        #expect(folds == same && folds != other)
        for fold in 0..<4 {
            let held = folds.heldOut(fold)
            #expect(held.count == 24 && held.count { $0 % 2 == 1 } == 12)
            #expect(Set(held.map { $0 / 4 }).isDisjoint(with: folds.training(fold).map { $0 / 4 }))
            #expect((held + folds.training(fold)).sorted() == Array(0..<96))
        }
    }

    @Test func classesTooSmallForFoldsAreRefused() throws {
        let batch = try randomBatch(lengths: Array(repeating: 3, count: 8), width: 4, seed: 1)
        func set(_ labels: [Int], _ groups: [Int]? = nil) throws -> ActivationSet {
            try ActivationSet([
                ActivationFile(batch, targets: .classes(labels), classes: ["no", "yes"], groups: groups)
            ])
        }
        func fault(_ labels: [Int], _ groups: [Int]? = nil) -> String {
            do {
                _ = try set(labels, groups).folds(3, seed: 0)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(
            fault([0, 0, 0, 0, 0, 0, 1, 1]).contains("at least 3 sequences of class yes, one a fold, found 2")
        )
        #expect(
            fault([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 9, 9, 9, 9])
                .contains("of class yes, one a fold, found one group that holds all 4"))
        #expect(fault([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 4, 4, 5, 5]).contains("found 2"))
        #expect(fault([0, 0, 0, 0, 1, 1, 1, 1]) == "none")
    }

    // One label for several a sequence, that few have: folds have no classes to keep.
    @Test func foldsWithoutAFigureAreTriedAnewOrRefused() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 60), width: 4, seed: 2)
        var selection = Selection([candidates()[0]])
        func split(_ values: [Float], _ folds: Int, _ task: ProbeTask) throws -> Folds {
            let targets = Targets.values(Matrix(rows: 60, columns: 1, storage: values))
            selection.folds = folds
            return try selection.split(
                ActivationSet([ActivationFile(batch, targets: targets, classes: task.classes)]), task: task)
        }
        let (labels, numbers) = (ProbeTask.multilabel(classes: ["rare"]), ProbeTask.regression(outputs: 1))
        let rare = (0..<60).map { Float($0 % 20 == 7 ? 1 : 0) }
        for seed in 0..<4 {
            selection.seed = UInt64(seed)
            let folds = try split(rare, 3, labels)
            #expect((0..<3).allSatisfy { fold in folds.heldOut(fold).contains { rare[$0] == 1 } })
        }
        func fault(_ values: [Float], _ task: ProbeTask) -> String {
            do {
                _ = try split(values, 4, task)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(fault(rare, labels).contains("vary within each of 4 folds, as AUROC needs, found none in 32"))
        #expect(fault(rare, numbers).contains("as R² needs"))
        #expect(fault(rare.map { _ in 0.1 }, numbers).contains("R² is defined, found the same for all 60"))
        // A loss is always defined.
        selection.metric = .negativeLoss
        #expect(fault(rare, labels) == "none" && fault(rare.map { _ in 0.1 }, numbers) == "none")
    }

    @Test func attentionIsChosenWhereOneTokenTells() throws {
        let data = grouped(try needleSet(count: 120), of: 2)
        let result = try selection().run(data)
        #expect(result.chosen.candidate.configuration.kind == .attention && result.chosen.score! > 0.9)
        #expect(result.entries.count == 6 && result.entries.count(where: \.isChosen) == 1)
        #expect(result.entries.allSatisfy { $0.folds.count == 4 })
        // The winner is an average of two seeds, on all sequences.
        #expect(result.chosen.replicates == 2)
        #expect(result.probe.configuration.heads == 2 * result.chosen.candidate.configuration.heads)
        #expect(result.probe.training["training_sequences"] == "120")
    }

    @Test func outOfFoldScoresAreOfProbesThatDidNotSeeTheFold() throws {
        let data = grouped(try needleSet(count: 60), of: 2)
        var selection = Selection([candidates()[0]])
        selection.folds = 3
        let result = try selection.run(data)
        let folds = try data.folds(3, seed: 0)
        #expect(result.folds == folds)
        for fold in 0..<3 {
            let probe = try Trainer(.mean, options: candidates()[0].options).fit(
                data.selecting(folds.training(fold)), task: data.task()
            ).probe
            for index in folds.heldOut(fold) {
                let score = try probe.scores(data, index..<index + 1).logits[0, 0]
                #expect(abs(result.chosen.outOfFold![index, 0] - score) < 1e-4)
            }
        }
    }

    // In the form in which a table of labels is read.
    @Test func outOfFoldRowsCarryTheirTargets() throws {
        let data = try needleSet(count: 12)
        let batch = try RaggedBatch(
            data.indices.map { _ in randomFloats(32, seed: 1) }, width: data.width)
        let folder = try TemporaryFolder()
        func rows(_ values: [Float], _ classes: [String]?) throws -> [String] {
            let targets = Targets.values(Matrix(rows: 12, columns: 2, storage: values))
            let set = try ActivationSet([ActivationFile(batch, targets: targets, classes: classes)])
            var selection = Selection([candidates()[0]])
            selection.folds = 2
            let result = try selection.run(set)
            let lines = try result.outOfFoldLines(set, by: result.probe)
            let table = try LabelTable(path: folder.write(lines, to: "rows"))
            #expect(try set.labelled(by: table).set.targets == targets)
            return String(decoding: lines, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let numbers = (0..<24).map { Float($0) / 8 }
        #expect(try rows(numbers, nil)[1].contains(#""label":[0.25,0.375]"#))
        let ones = (0..<24).map { Float($0 % 3 == 0 ? 1 : 0) }
        #expect(try rows(ones, ["a", "b"])[1].contains(#""label":["b"]"#))
    }

    // A learning rate that no probe survives.
    @Test func aContestShowsWhatFails() throws {
        let data = try needleSet(count: 60)
        var broken = candidates()[2]
        broken.options.learningRate = 1e30
        var selection = selection()
        selection.average = 1
        var contest = Contest(
            [
                .init(name: "broken", candidates: [broken]),
                .init(name: "mean", candidates: [candidates()[0]]),
                .init(name: "mixed", candidates: [broken, candidates()[2]]),
            ], selection: selection)
        contest.bootstrap = Bootstrap(replicates: 10)
        let rows = try contest.run(data, test: needleSet(count: 20, seed: 2), name: "needle").dataSet.rows
        #expect(rows.map { $0.value == nil } == [true, false, false])
        #expect(rows.map { $0.failure == nil } == [false, true, true])
        #expect(rows[1].difference == nil)
        let candidates = try #require(rows[2].candidates)
        #expect(candidates.map { $0.failure == nil } == [false, true])
        #expect(candidates.map(\.chosen) == [false, true])
    }

    @Test func theResultDoesNotDependOnThreads() throws {
        let data = try needleSet(count: 60)
        var (one, three) = (selection(), selection())
        (one.threads, three.threads) = (1, 3)
        let (a, b) = (try one.run(data), try three.run(data))
        #expect(a.probe.parameters == b.probe.parameters)
        #expect(a.entries.map(\.outOfFold) == b.entries.map(\.outOfFold))
    }

    @Test func anInterruptedSelectionGoesOn() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 60)
        let whole = try selection().run(data)
        let stop = Atomic(false)
        let first = Atomic(0)
        #expect(throws: CancellationError.self) {
            try selection().run(
                data, journal: folder("probe"),
                progress: { report in
                    first.store(report.done, ordering: .relaxed)
                    if report.done == 9 { stop.store(true, ordering: .relaxed) }
                }, isInterrupted: { stop.load(ordering: .relaxed) })
        }
        #expect(try folder.names == ["probe.partial"])
        let kept = Atomic(0)
        let rest = try selection().run(
            data, journal: folder("probe"), progress: { kept.store($0.kept, ordering: .relaxed) })
        #expect(kept.load(ordering: .relaxed) == first.load(ordering: .relaxed))
        #expect(rest.probe.parameters == whole.probe.parameters)
        #expect(rest.entries.map(\.outOfFold) == whole.entries.map(\.outOfFold))
        // Until the caller has the probe where it should be.
        #expect(try folder.names == ["probe.partial"])
        rest.removeJournal()
        withExtendedLifetime(rest) {}
    }

    @Test func theJournalOfAnotherSelectionIsRefusedAndStays() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 40)
        func run(_ data: ActivationSet, _ change: (inout Selection) -> Void = { _ in }) throws {
            var selection = selection()
            change(&selection)
            _ = try selection.run(data, journal: folder("probe"))
        }
        try run(data)
        let before = try Data(contentsOf: URL(fileURLWithPath: folder("probe.partial")))
        func fault(_ data: ActivationSet, _ change: (inout Selection) -> Void = { _ in }) -> String {
            do {
                try run(data, change)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(fault(data) { $0.seed = 7 }.contains("with seed 7, found one with seed 0; repeat that one"))
        #expect(fault(data) { $0.folds = 5 }.contains("with 5 folds, found one with 4"))
        #expect(fault(grouped(data, of: 2)).contains("with these data and groups, found one with others"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder("probe.partial"))) == before)
        try Data("a note\n".utf8).write(to: URL(fileURLWithPath: folder("probe.partial")))
        #expect(fault(data).contains("found another file"))
        #expect(try String(contentsOfFile: folder("probe.partial"), encoding: .utf8) == "a note\n")
    }

    @Test func otherCandidatesShareAJournalAndKeepWhatIsNotTheirs() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 40)
        let kept = Atomic(-1)
        func run(_ candidates: [Candidate]) throws -> SelectionResult {
            var selection = Selection(candidates)
            (selection.folds, selection.average) = (4, 1)
            return try selection.run(
                data, journal: folder("probe"), progress: { kept.store($0.kept, ordering: .relaxed) })
        }
        let all = candidates()
        // As if interrupted after all trainings: the probe is not there, the file stays.
        _ = try run(Array(all.suffix(2)))
        // Of two candidates on four folds one is used again.
        #expect(try run([all[0], all[4]]).removeJournal() == 4)
        #expect(kept.load(ordering: .relaxed) == 8)
        // What was there before stays, and that alone.
        #expect(try folder.names == ["probe.partial"])
        #expect(try run([all[0]] + all.suffix(2)).removeJournal() == 0)
        #expect(kept.load(ordering: .relaxed) == 8)
        #expect(try folder.names.isEmpty)
    }

    @Test func whereNothingWasDoneNoJournalIsLeft() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 40)
        #expect(throws: CancellationError.self) {
            try selection().run(data, journal: folder("probe"), isInterrupted: { true })
        }
        var tokens = [Float](repeating: 1, count: 12)
        tokens[6] = .nan
        let batch = try RaggedBatch(
            [tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens], width: 3)
        let broken = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 0, 1, 0, 1, 0, 1]))])
        #expect(throws: DataError.self) { try selection().run(broken, journal: folder("probe")) }
        #expect(try folder.names.isEmpty)
    }

    @Test func whatIsTrainedAlikeIsListedOnce() throws {
        var grid = CandidateGrid()
        grid.kinds = [.last, .mean]
        grid.optimizers = [.adamw]
        grid.tokenDropouts = [0, 0.25, 0.5]
        let kinds = grid.candidates(for: .binary(classes: ["a", "b"])).map(\.configuration.kind)
        #expect(kinds == [.last, .mean, .mean, .mean])
    }

    @Test func thePathOfPenaltiesEndsWhereEachWouldAlone() throws {
        let data = try needleSet(count: 80)
        var grid = CandidateGrid()
        grid.kinds = [.mean]
        grid.l2 = [0.001, 0.01, 0.1]
        let task = try data.task()
        var together = Selection(grid.candidates(for: task))
        together.folds = 4
        let path = try together.run(data)
        for entry in path.entries {
            var alone = Selection([entry.candidate])
            alone.folds = 4
            let single = try alone.run(data).chosen.outOfFold!
            for i in data.indices { #expect(abs(entry.outOfFold![i, 0] - single[i, 0]) < 0.02) }
        }
    }

    @Test func thePreferredIsTakenWithinOneError() throws {
        let data = grouped(try needleSet(count: 80), of: 2)
        var selection = selection()
        // The same figures but for a little: the better one comes second.
        selection.candidates = [candidates()[2], candidates()[2]]
        selection.candidates[0].options.epochs = 24
        selection.average = 1
        var result = try selection.run(data)
        if result.entries[0].score! > result.entries[1].score! {
            selection.candidates.reverse()
            result = try selection.run(data)
        }
        #expect(result.entries[0].score! <= result.entries[1].score!)
        selection.prefersEarlier = true
        #expect(try selection.run(data).entries[0].isChosen)
    }

    @Test func foldsOfMixedGroupsHaveEveryClass() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 24), width: 2, seed: 9)
        for seed in 0..<200 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let labels = (0..<24).map { _ in Int.random(in: 0..<3, using: &generator) }
            let groups = (0..<24).map { _ in Int.random(in: 0..<9, using: &generator) }
            let set = try ActivationSet([
                ActivationFile(batch, targets: .classes(labels), classes: ["a", "b", "c"], groups: groups)
            ])
            // Refused in a sentence, or every class in every fold.
            guard let folds = try? set.folds(3, seed: seed) else { continue }
            for fold in 0..<3 {
                #expect(Set(folds.heldOut(fold).map { labels[$0] }) == Set(labels))
            }
        }
    }

    // roc_auc_score(…, multi_class="ovr", average="macro") and the mean of average_precision_score a
    // class, of the softmax in float64 (scikit-learn 1.9); ties included.
    @Test func macroFiguresAreThoseOfScikitLearn() throws {
        let logits: [Float] = [
            2, 1, 0, 0.5, 0.5, 0.5, 0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 0, 1, 1, 1, 0, 0.25, 1.5, 1.25, 3, 2.5, 2,
            0, 1, 0,
        ]
        let targets = Targets.classes([0, 1, 1, 2, 0, 2, 0, 1, 2, 0])
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        let matrix = Matrix(rows: 10, columns: 3, storage: logits)
        let area = try #require(SelectionMetric.auroc.value(matrix, targets, task))
        let precision = try #require(SelectionMetric.averagePrecision.value(matrix, targets, task))
        #expect(abs(area - 0.8263888888888888) < 1e-12)
        #expect(abs(precision - 0.7925264550264549) < 1e-12)
        // The same with sample_weight, and accuracy_score and balanced_accuracy_score.
        let weights: [Float] = [1, 0.5, 2, 0.25, 3, 1, 0.5, 2, 0.25, 3]
        let weighted: [(SelectionMetric, Double)] = [
            (.auroc, 0.8672325102880659), (.averagePrecision, 0.8447681704260651),
            (.accuracy, 0.7222222222222222), (.balancedAccuracy, 0.7740740740740741),
        ]
        for (metric, expected) in weighted {
            let value = try #require(metric.value(matrix, targets, task, weights: weights))
            #expect(abs(value - expected) < 1e-12, "\(metric)")
        }
    }

    @Test func weightsCountInFoldFiguresAndCalibration() throws {
        let plain = try needleSet(count: 60)
        let weights = (0..<60).map { Float($0 % 3) + 0.5 }
        let file = ActivationFile(plain.files[0].batch, targets: plain.targets, weights: weights)
        let data = try ActivationSet([file])
        var selection = Selection([candidates()[0]])
        (selection.folds, selection.metric) = (3, .negativeLoss)
        let result = try selection.run(data)
        let scores = try #require(result.chosen.outOfFold)
        for fold in 0..<3 {
            let (rows, targets) = (result.folds.heldOut(fold), data.targets!)
            var (loss, total, unused) = (0.0, 0.0, [Float]())
            for row in rows {
                let own = Loss.binary(Array(scores[row: row]), targets[row], gradient: &unused)
                loss += Double(weights[row]) * own
                total += Double(weights[row])
            }
            #expect(abs(try #require(result.chosen.folds[fold]) + loss / total) < 1e-12)
        }
        let isPositive = (0..<60).map { $0 % 2 == 1 }
        let calibration = Calibration(
            .platt, logits: scores.storage, isPositive: isPositive, weights: weights)
        #expect(try calibration != nil && result.deployed(data).calibration == calibration)
        #expect(calibration != Calibration(.platt, logits: scores.storage, isPositive: isPositive))
    }

    @Test func nearDuplicatesAreFound() throws {
        let data = try needleSet(count: 40)
        #expect(try data.nearDuplicates() == nil)
        let twice = data.selecting(Array(data.indices) + [7])
        #expect(try twice.nearDuplicates() == NearDuplicates(sequences: 2, example: (7, 40)))
    }

    @Test func weightsCountLikeRepetitions() throws {
        let batch = try randomBatch(lengths: Array(repeating: 3, count: 20), width: 4, seed: 5)
        let labels = (0..<20).map { $0 % 2 }
        let twice = (0..<20).map { $0 % 5 == 0 ? Float(2) : 1 }
        func set(_ weights: [Float]?) throws -> ActivationSet {
            try ActivationSet([ActivationFile(batch, targets: .classes(labels), weights: weights)])
        }
        let repeated = try set(nil).selecting(Array(0..<20) + (0..<20).filter { $0 % 5 == 0 })
        var options = TrainingOptions(.lbfgs)
        options.standardizes = false
        let weighted = try Trainer(.mean, options: options).fit(set(twice)).probe.parameters
        let copied = try Trainer(.mean, options: options).fit(repeated).probe.parameters
        for (a, b) in zip(weighted, copied) { #expect(abs(a - b) < 1e-3) }
        // Attention goes the general way, token by token.
        options.epochs = 3
        let a = try Trainer(.attention(heads: 1), options: options).fit(set(twice))
        let b = try Trainer(.attention(heads: 1), options: options).fit(repeated)
        #expect(abs(a.history[2].loss - b.history[2].loss) < 1e-3 * b.history[2].loss)
    }

    @Test func balancedClassesCountAlike() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 12), width: 3, seed: 6)
        let labels = (0..<12).map { $0 < 9 ? 0 : 1 }
        let set = try ActivationSet([ActivationFile(batch, targets: .classes(labels))])
        let weights = try #require(set.trainingWeights(.balanced))
        // 12/(2·9) and 12/(2·3), whose mean is 1
        #expect(abs(weights[0] - 2.0 / 3) < 1e-6 && abs(weights[11] - 2) < 1e-6)
        #expect(set.trainingWeights(.none) == nil)
    }
}
