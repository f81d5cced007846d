import AttentionProbes
@testable import ProbeSelection
import Foundation
import Synchronization
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

    /// Interrupted after so many trainings, those of a path of penalties and of all sequences among them.
    @Test(arguments: [1, 2, 5, 19, 28])
    func nothingIsTrainedTwice(after count: Int) throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 60)
        var selection = smallSelection()
        selection.threads = 1
        let all = Atomic(0)
        let whole = try selection.run(data, progress: { all.store($0.done, ordering: .relaxed) })
        let stop = Atomic(false)
        #expect(throws: CancellationError.self) {
            try selection.run(
                data, journal: folder("probe"),
                progress: { if $0.done == count { stop.store(true, ordering: .relaxed) } },
                isInterrupted: { stop.load(ordering: .relaxed) })
        }
        let kept = Atomic(0)
        let done = Atomic(0)
        let rest = try selection.run(
            data, journal: folder("probe"),
            progress: {
                kept.store($0.kept, ordering: .relaxed)
                done.store($0.done, ordering: .relaxed)
            })
        #expect(kept.load(ordering: .relaxed) == count)
        #expect(done.load(ordering: .relaxed) == all.load(ordering: .relaxed) - count)
        #expect(rest.probe.parameters == whole.probe.parameters)
        #expect(rest.entries.map(\.outOfFold) == whole.entries.map(\.outOfFold))
        rest.removeJournal()
    }

    /// Trials, probes of all sequences and controls.
    @Test func aComparisonThatIsRepeatedTrainsNothing() throws {
        let folder = try TemporaryFolder()
        let (data, test) = (try needleSet(count: 60), try needleSet(count: 30, seed: 9))
        let candidates = fewCandidates()
        var selection = smallSelection()
        selection.average = 1
        var comparison = ProbeComparison(
            candidates.map { ProbeComparison.Model(name: $0.name, candidates: [$0]) }, selection: selection)
        comparison.bootstrap = Bootstrap(replicates: 20)
        comparison.controls = Controls(.attention(heads: 1), selection: selection)
        func run(_ told: @escaping @Sendable (String) -> Void) throws -> String {
            let result = try comparison.run(
                data, test: test, name: "needles", journal: folder("comparison"),
                progress: { model, _ in told(model) })
            return "\(result.dataSet)"
        }
        let first = try run { _ in }
        let journal = try Data(contentsOf: URL(fileURLWithPath: folder("comparison.partial")))
        let second = try run { #expect($0.hasPrefix("control"), "\($0) was trained again") }
        #expect(first == second)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder("comparison.partial"))) == journal)
        // Controls are of the sequences that they were scored on.
        let other = try comparison.run(
            data, test: try needleSet(count: 30, seed: 10), name: "needles", journal: folder("comparison"))
        #expect("\(other.dataSet)" != first)
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

    /// One element of one of many sequences, anywhere, and all that is said of a sequence.
    @Test func theJournalOfOtherDataIsRefusedWhateverDiffers() throws {
        let folder = try TemporaryFolder()
        let plain = try needleSet(count: 90, width: 4, lengths: 4...9)
        let (batch, labels) = (plain.files[0].batch, (0..<90).map { $0 % 2 })
        let values = randomFloats(batch.tokens.rows * 4, seed: 3)
        let weights = [Float](repeating: 1, count: 90)
        let groups = (0..<90).map { $0 / 2 }
        func set(
            _ values: [Float], mask: Int? = nil, label: Int? = nil, weight: Int? = nil, group: Int? = nil
        ) throws -> ActivationSet {
            var (labels, weights, groups) = (labels, weights, groups)
            var visible = [Bool](repeating: true, count: batch.tokens.rows)
            if let mask { visible[mask] = false }
            if let label { labels.swapAt(label, label + 1) }
            if let weight { weights[weight] = 1.5 }
            if let group { groups[group] = 1000 }
            return try ActivationSet([
                ActivationFile(
                    RaggedBatch(
                        tokens: TokenMatrix(values, columns: 4), offsets: batch.offsets, tokenMask: visible),
                    targets: .classes(labels), groups: groups, weights: weights)
            ])
        }
        var selection = Selection([fewCandidates()[0]])
        (selection.folds, selection.average) = (4, 1)
        _ = try selection.run(set(values), journal: folder("probe"))
        // The same again is no other.
        _ = try selection.run(set(values), journal: folder("probe"))
        func changed(_ place: Int, _ change: (Float) -> Float) -> [Float] {
            var values = values
            values[place] = change(values[place])
            return values
        }
        let others = try [
            set(changed(0) { $0.nextUp }), set(changed(values.count / 2) { -$0 }),
            set(changed(4 * batch.offsets[57] + 1) { $0 + 1 }), set(values, mask: batch.offsets[70]),
            set(values, mask: batch.offsets[71] - 1), set(values, label: 42), set(values, weight: 7),
            set(values, group: 11),
        ]
        for (number, other) in others.enumerated() {
            let fault = #expect(throws: DataError.self, "change \(number)") {
                try selection.run(other, journal: folder("probe"))
            }
            #expect(fault.map { "\($0)" }?.contains("found one with others") ?? false)
        }
    }

    /// The hash is of what is stored, however the rows lie in files.
    @Test func theFingerprintSeesStatesInFiles() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 20)
        let folds = try data.folds(4, seed: 0)
        let task = try data.task()
        func fingerprint(_ data: ActivationSet, threads: Int = 2) throws -> SelectionJournal.Fingerprint {
            try data.fingerprint(folds, task, seed: 0, threads: threads, isInterrupted: { false })
        }
        let whole = try fingerprint(data)
        #expect(try fingerprint(data, threads: 1) == whole)
        try data.write(to: folder("data.safetensors"))
        #expect(try fingerprint(ActivationSet(paths: [folder("data.safetensors")])) == whole)
        try data.write(to: folder("half.safetensors"), as: .f16)
        #expect(try fingerprint(ActivationSet(paths: [folder("half.safetensors")])) != whole)
        #expect(throws: CancellationError.self) {
            try data.fingerprint(folds, task, seed: 0, threads: 2, isInterrupted: { true })
        }
    }

    /// Each a change of one line, and what the error says of it.
    @Test(arguments: [
        (#""logits":\[[^\]]*\]"#, #""logits":[]"#, "expected 10 finite outputs, found 0"),
        (#""logits":\[[^\]]*\]"#, #""logits":[1,2,3]"#, "expected 10 finite outputs, found 3"),
        (#""logits":\[[^,]*,"#, #""logits":["#, "expected 10 finite outputs, found 9"),
        (#""logits":\[[^,]*,"#, #""logits":[1e39,"#, "expected "),
        (#""logits":\[[^,]*,"#, #""logits":[NaN,"#, "expected a training, found something else"),
        (#""seconds":[0-9.e-]+"#, #""seconds":1e308"#, "seconds from 0 to 1000000000.0, found 1e+308"),
        (#""seconds":[0-9.e-]+"#, #""seconds":-1"#, "seconds from 0 to 1000000000.0, found -1.0"),
        (#""seconds":[0-9.e-]+"#, #""seconds":1e999"#, "expected a training, found something else"),
        (#""converged":true"#, #""converged":true,"failure":"x""#, "expected 0 finite outputs, found 10"),
        (#"^.*$"#, "", "expected a training, found something else"),
        (#"^.*$"#, "[]", "expected a training, found something else"),
    ])
    func aLineThatNoTrainingLeavesIsRefused(pattern: String, replacement: String, words: String) throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 40)
        var selection = Selection([fewCandidates()[0]])
        (selection.folds, selection.average) = (4, 1)
        _ = try selection.run(data, journal: folder("probe"))
        let path = folder("probe.partial")
        var lines = try String(contentsOfFile: path, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        let changed = lines[2].replacing(try Regex(pattern), with: replacement)
        #expect(changed != lines[2])
        lines[2] = changed[...]
        try lines.joined(separator: "\n").write(toFile: path, atomically: false, encoding: .utf8)
        let fault = #expect(throws: DataError.self) { try selection.run(data, journal: folder("probe")) }
        let text = fault.map { "\($0)" } ?? ""
        #expect(
            text.contains(words) && text.contains("line 3") && text.contains("delete the file"), "\(text)")
        // It is still there for who wants to mend it.
        #expect(try String(contentsOfFile: path, encoding: .utf8) == lines.joined(separator: "\n"))
    }

    @Test func theJournalOfAnotherComparisonIsRefused() throws {
        let folder = try TemporaryFolder()
        let (data, test) = try (needleSet(count: 40), needleSet(count: 20, seed: 5))
        var selection = Selection([fewCandidates()[0]])
        // On one thread the lines are in the order of the folds.
        (selection.folds, selection.average, selection.threads) = (4, 1, 1)
        var comparison = ProbeComparison(
            [ProbeComparison.Model(name: "mean", candidates: selection.candidates)], selection: selection)
        comparison.bootstrap = Bootstrap(replicates: 2)
        func run(_ training: ActivationSet) throws {
            _ = try comparison.run(training, test: test, name: "data", journal: folder("report.comparison"))
        }
        try run(data)
        // The first sequence is another one, the last and all labels are the same.
        let other = try needleSet(count: 40, seed: 5)
        let mixed = try ActivationSet([
            ActivationFile(
                RaggedBatch(
                    (0..<40).map { index in
                        var (values, scratch) = ([Float](), [Float]())
                        let sequence = index == 0 ? other[0] : data[index]
                        sequence.withTokens(0..<sequence.count, scratch: &scratch) { tokens in
                            for i in tokens.indices { values.append(tokens[i]) }
                        }
                        return values
                    }, width: 16), targets: data.targets, classes: data.classes)
        ])
        let fault = #expect(throws: DataError.self) { try run(mixed) }
        #expect(fault?.found.hasPrefix("one with others") ?? false)
        let path = folder("report.comparison.partial")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let broken = text.replacing(/"logits":\[[^\]]*\]/, with: #""logits":[]"#)
        try broken.write(toFile: path, atomically: false, encoding: .utf8)
        #expect(#expect(throws: DataError.self) { try run(data) }?.place == "line 2")
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
        #expect(kept.load(ordering: .relaxed) == 9)
        // What was there before stays, and that alone.
        #expect(try folder.names == ["probe.partial"])
        #expect(try run([all[0]] + all.suffix(2)).removeJournal() == 0)
        #expect(kept.load(ordering: .relaxed) == 9)
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
