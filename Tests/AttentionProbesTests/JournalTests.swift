@testable import AttentionProbes
import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Interrupted selections")
struct JournalTests {
    @Test func anInterruptedSelectionGoesOn() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 60)
        let whole = try smallSelection().run(data)
        let stop = Atomic(false)
        let first = Atomic(0)
        #expect(throws: CancellationError.self) {
            try smallSelection().run(
                data, journal: folder("probe"),
                progress: { report in
                    first.store(report.done, ordering: .relaxed)
                    if report.done == 9 { stop.store(true, ordering: .relaxed) }
                }, isInterrupted: { stop.load(ordering: .relaxed) })
        }
        #expect(try folder.names == ["probe.partial"])
        let kept = Atomic(0)
        let rest = try smallSelection().run(
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
            var selection = smallSelection()
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
        let all = fewCandidates()
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
            try smallSelection().run(data, journal: folder("probe"), isInterrupted: { true })
        }
        var tokens = [Float](repeating: 1, count: 12)
        tokens[6] = .nan
        let batch = try RaggedBatch(
            [tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens], width: 3)
        let broken = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 0, 1, 0, 1, 0, 1]))])
        #expect(throws: DataError.self) { try smallSelection().run(broken, journal: folder("probe")) }
        #expect(try folder.names.isEmpty)
    }
}
