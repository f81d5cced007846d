import AttentionProbes
@testable import ProbeSelection
import Synchronization
import TestSupport
import Testing

@Suite("Selection")
struct SelectionTests {
    @Test func attentionIsChosenWhereOneTokenTells() throws {
        let data = grouped(try needleSet(count: 120), of: 2)
        let result = try smallSelection().run(data)
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
        var selection = Selection([fewCandidates()[0]])
        selection.folds = 3
        let result = try selection.run(data)
        let folds = try data.folds(3, seed: 0)
        #expect(result.folds == folds)
        for fold in 0..<3 {
            let probe = try Trainer(.mean, options: fewCandidates()[0].options).fit(
                data.selecting(folds.training(fold)), task: data.task()
            ).probe
            for index in folds.heldOut(fold) {
                let score = try probe.scores(data, index..<index + 1).logits[0, 0]
                #expect(abs(result.chosen.outOfFold![index, 0] - score) < 1e-4)
            }
        }
    }

    @Test func foldsAreToldBeforeAnythingIsTrained() throws {
        let data = try needleSet(count: 24)
        var selection = Selection([fewCandidates()[0]])
        selection.folds = 3
        selection.average = 1
        let trained = Mutex(0)
        var told: [Folds] = []
        let result = try selection.run(
            data,
            starting: {
                #expect(trained.withLock(\.self) == 0)
                told.append($0)
            }, progress: { _ in trained.withLock { $0 += 1 } })
        #expect(told == [result.folds] && trained.withLock(\.self) == 4)
        // Data that are refused have no folds to tell.
        selection.folds = 25
        #expect(throws: DataError.self) {
            try selection.run(data, starting: { _ in Issue.record("told of folds") })
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
            var selection = Selection([fewCandidates()[0]])
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
    @Test func acomparisonShowsWhatFails() throws {
        let data = try needleSet(count: 60)
        var broken = fewCandidates()[2]
        broken.options.learningRate = 1e30
        var selection = smallSelection()
        selection.average = 1
        var comparison = ProbeComparison(
            [
                .init(name: "broken", candidates: [broken]),
                .init(name: "mean", candidates: [fewCandidates()[0]]),
                .init(name: "mixed", candidates: [broken, fewCandidates()[2]]),
            ], selection: selection)
        comparison.bootstrap = Bootstrap(replicates: 10)
        let rows = try comparison.run(data, test: needleSet(count: 20, seed: 2), name: "needle").dataSet.rows
        #expect(rows.map { $0.value == nil } == [true, false, false])
        #expect(rows.map { $0.failure == nil } == [false, true, true])
        #expect(rows[1].difference == nil)
        let candidates = try #require(rows[2].candidates)
        #expect(candidates.map { $0.failure == nil } == [false, true])
        #expect(candidates.map(\.chosen) == [false, true])
    }

    // With more threads than trainings each training has several.
    @Test(arguments: [3, 40])
    func theResultDoesNotDependOnThreads(threads: Int) throws {
        let data = try needleSet(count: 60)
        var (one, many) = (smallSelection(), smallSelection())
        (one.threads, many.threads) = (1, threads)
        let (a, b) = (try one.run(data), try many.run(data))
        #expect(a.probe.parameters == b.probe.parameters)
        #expect(a.entries.map(\.outOfFold) == b.entries.map(\.outOfFold))
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
        var selection = smallSelection()
        // The same figures but for a little: the better one comes second.
        selection.candidates = [fewCandidates()[2], fewCandidates()[2]]
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
}
