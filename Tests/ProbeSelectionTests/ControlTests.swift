import AttentionProbes
import Foundation
@testable import ProbeSelection
import TestSupport
import Tensors
import Testing

@Suite("Controls")
struct ControlTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Sequences of these token ids, whose states, width 3, say nothing.
    private func set(_ ids: [[Int]], _ labels: [Int], groups: [Int]? = nil, seed: UInt64 = 1) throws
        -> ActivationSet
    {
        let count = ids.reduce(0) { $0 + $1.count }
        func bytes(_ numbers: [Int]) -> [UInt8] { numbers.flatMap { integerBytes($0) } }
        let offsets = ids.reduce(into: [0]) { $0.append($0.last! + $1.count) }
        let file = literalSafetensors(
            [
                (
                    "hidden_states", "F32", [count, 3],
                    randomFloats(count * 3, seed: seed).flatMap { floatBytes($0) }
                ),
                ("offsets", "I64", [offsets.count], bytes(offsets)),
                ("labels", "I64", [labels.count], bytes(labels)),
                ("token_ids", "I64", [count], bytes(ids.flatMap(\.self))),
            ] + (groups.map { [("groups", "I64", [labels.count], bytes($0))] } ?? []),
            metadata: #"{"format":"attention-probes/activations","version":"1","classes":"[\"no\",\"yes\"]"}"#
        )
        let path = folder("set-\(ids.count)-\(seed).safetensors")
        try Data(file).write(to: URL(fileURLWithPath: path))
        return try ActivationSet(paths: [path])
    }

    private func states(_ set: ActivationSet) throws -> [[Float]] {
        let scores = try Probe(
            .mean, width: set.width, task: .regression(outputs: set.width),
            parameters: (0..<set.width).flatMap { o in (0..<set.width).map { $0 == o ? 1 : 0 } }
                + [Float](repeating: 0, count: set.width)
        ).scores(set).logits
        return (0..<scores.rows).map { Array(scores[row: $0]) }
    }

    @Test func lengthsAndBags() throws {
        let one = try set([[5, 5, 7, 9], [7]], [0, 1])
        let other = try set([[7, 5, 8], [8], [5]], [0, 1, 0], seed: 2)
        let lengths = try states(one.lengthStates())
        #expect(lengths[0][0] == 4 && abs(lengths[0][1] - Float(log(4.0))) < 1e-6 && lengths[1] == [1, 0])
        let bags = try ActivationSet.tokenBags([one, other])
        // By frequency: 5 and 7 twice, 9 once; 8 is unknown.
        #expect(try states(bags[0]) == [[0.5, 0.25, 0.25], [0, 1, 0]])
        let third = Float(1) / 3
        #expect(try states(bags[1]) == [[third, third, 0], [0, 0, 0], [1, 0, 0]])
    }

    @Test func equalTokensHaveEqualVectors() throws {
        let sets = try ActivationSet.tokenVectors(
            [set([[5], [7], [5, 7]], [0, 1, 0]), set([[7], [8]], [0, 1], seed: 2)], seed: 3)
        let (one, other) = (try states(sets[0]), try states(sets[1]))
        #expect(one[1] == other[0] && one[0] != one[1] && other[1] != one[1])
        #expect(zip(one[2], zip(one[0], one[1])).allSatisfy { abs($0 - ($1.0 + $1.1) / 2) < 1e-6 })
    }

    @Test func columns() throws {
        let sets = [try set([[1], [1], [1]], [0, 1, 0]), try set([[1], [1]], [0, 1], seed: 2)]
        let names = try ActivationSet.columnStates(sets, [["b", "a", "b"], ["a", "c"]])
        #expect(try states(names[0]) == [[0, 1], [1, 0], [0, 1]])
        #expect(try states(names[1]) == [[1, 0], [0, 0]])
        let many = try set((0..<30).map { _ in [1] }, (0..<30).map { $0 % 2 }, seed: 3)
        let numbers = try ActivationSet.columnStates(
            [many, sets[1]], [(0..<30).map(String.init), ["7", "?"]])
        #expect(try states(numbers[0]).map { $0[0] } == (0..<30).map(Float.init))
        #expect(try states(numbers[1]) == [[7], [14.5]])
    }

    @Test func shuffledLabelsKeepGroupsTogether() throws {
        let count = 60
        let data = try set(
            (0..<count).map { _ in [1] }, (0..<count).map { $0 / 3 % 2 }, groups: (0..<count).map { $0 / 3 })
        let shuffled = data.shufflingLabels(seed: 1)
        guard case .classes(let labels)? = shuffled.targets, case .classes(let own)? = data.targets else {
            Issue.record("no classes")
            return
        }
        #expect(labels != own && labels.sorted() == own.sorted())
        for group in 0..<count / 3 { #expect(Set(labels[3 * group..<3 * group + 3]).count == 1) }
        #expect(shuffled.groups == data.groups)
    }

    // One set says its labels by length, one by its words, one by a column: the control of that finds them, the others
    // do not.
    @Test(arguments: [Control.length, .tokenBag, .confound])
    func shortcutsAreFound(shortcut: Control) throws {
        func data(_ count: Int, _ seed: UInt64) throws -> ActivationSet {
            let noise = randomFloats(count * 8, seed: seed)
            return try set(
                (0..<count).map { i in
                    let label = i % 2
                    let length = shortcut == .length ? 3 + 3 * label : 4
                    return (0..<length).map { t in
                        shortcut == .tokenBag && t == 1 ? 50 + label : Int(abs(noise[8 * i + t]) * 10)
                    }
                }, (0..<count).map { $0 % 2 }, seed: seed)
        }
        let (training, test) = (try data(80, 5), try data(60, 6))
        var selection = Selection(fewCandidates())
        selection.folds = 4
        var controls = Controls(.attention(heads: 1), selection: selection)
        if shortcut == .confound {
            controls.confound = { data in data.indices.map { $0 % 2 == 0 ? "x" : "y" } }
        }
        let task = ProbeTask.binary(classes: ["no", "yes"])
        let scores = try controls.run(training, tests: [test], task: task)
        #expect(scores.map(\.control).contains(.confound) == (shortcut == .confound))
        let probe = try Trainer(.mean).fit(training).probe
        let scored = try probe.scored(test)
        let evaluation = try scored.evaluation()
        let metrics = try scored.controlMetrics(
            scores, metrics: evaluation.metrics.map(\.metric), bootstrap: Bootstrap(replicates: 50))
        func auroc(_ control: Control) -> Double? {
            metrics.rows.first { $0.control == control }?.values.first { $0.metric == .auroc }?.value
        }
        #expect(try #require(auroc(shortcut)) == 1)
        for other in [Control.shuffledLabels, .randomDirections] {
            #expect(try #require(auroc(other)) < 0.85, "\(other)")
        }
        let margin = try #require(metrics(.auroc))
        #expect(abs(margin.value - (evaluation.auroc! - 1)) < 1e-12)
        #expect(try #require(margin.interval).contains(margin.value))
        // Of a loss the control has more.
        let loss = try #require(metrics(.loss))
        let least = metrics.rows.compactMap { $0.values.first { $0.metric == .loss }?.value }.min()
        #expect(try abs(loss.value - (#require(least) - evaluation.loss)) < 1e-12)
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(metrics)) as? [String: Any]
        #expect((json?["above_best"] as? [[String: Any]])?.count == evaluation.metrics.count)
    }

    /// A second test is scored without a training, as it could not be where every training is interrupted.
    @Test func severalTestsNeedOneTraining() throws {
        func data(_ count: Int, _ seed: UInt64) throws -> ActivationSet {
            try set(
                (0..<count).map { [$0 % 2, 3 + $0 % 5] + ($0 % 3 == 0 ? [7] : []) },
                (0..<count).map { $0 % 2 }, seed: seed)
        }
        let (training, one, other) = (try data(24, 5), try data(12, 6), try data(16, 7))
        var controls = Controls(.mean)
        controls.selection.folds = 2
        controls.confound = { data in data.indices.map { $0 % 2 == 0 ? "x" : "y" } }
        let task = ProbeTask.binary(classes: ["no", "yes"])
        let trained = ControlProbes()
        _ = try controls.run(training, tests: [one], task: task, trained: trained, isInterrupted: { false })
        let found = try controls.run(
            training, tests: [other], task: task, trained: trained, isInterrupted: { true })
        let alone = try controls.run(training, tests: [other], task: task)
        #expect(found.map(\.control) == Control.allCases && found.map(\.failure) == alone.map(\.failure))
        #expect(found.map(\.logits) == alone.map(\.logits))
        #expect(throws: CancellationError.self) {
            try controls.run(training, tests: [other], task: task, isInterrupted: { true })
        }
    }

    // An ensemble has the control of labels that say nothing, as the mean of what its parts have; of layers each its own.
    @Test(arguments: [false, true]) func ensemblesHaveShuffledLabels(ofLayers: Bool) throws {
        let data = try needleSet(count: 40, width: ofLayers ? 32 : 16)
        let parts: [ProbeConfiguration] = [.mean, .attention(heads: 1)]
        let task = try data.task()
        func logits(_ configuration: ProbeConfiguration, _ data: ActivationSet) throws -> [Float] {
            let scores = try Controls(configuration).run(data, tests: [data], task: task)
            let own = try #require(scores.first { $0.control == .shuffledLabels })
            return try #require(own.logits.first, "\(own.failure ?? "")").storage
        }
        let found = try logits(.ensemble(parts, layers: ofLayers ? [0, 1] : []), data)
        let own = try parts.enumerated().map { i, part in
            try logits(part, ofLayers ? data.taking(columns: [16 * i..<16 * (i + 1)]) : data)
        }
        #expect(zip(found, zip(own[0], own[1])).allSatisfy { abs($0 - ($1.0 + $1.1) / 2) < 1e-5 })
        #expect(found != own[0])
    }

    // Nothing is trained on data that controls would fail on.
    @Test func whatDoesNotFitIsRefusedBefore() throws {
        let data = try needleSet(count: 40), task = try data.task()
        func isTrained(_ control: Control) { Issue.record("\(control) is trained") }
        func refusal(_ controls: Controls, _ training: ActivationSet, _ test: ActivationSet) throws -> String
        {
            let fault = #expect(throws: DataError.self) {
                _ = try controls.run(training, tests: [test], task: task, progress: isTrained)
            }
            return fault?.description ?? ""
        }
        let controls = Controls(.mean)
        for (training, test) in [(16, 24), (24, 16)] {
            let message = try refusal(
                controls, needleSet(count: 40, width: training), needleSet(count: 20, width: test))
            #expect(message.contains("\(training)") && message.contains("found \(test)"), "\(message)")
        }
        let one = data.selecting(data.indices.filter { $0 % 2 == 1 })
        #expect(try refusal(controls, one, data).contains("at least two classes"))
        let rare = data.selecting(data.indices.filter { $0 % 2 == 1 || $0 == 0 })
        #expect(try refusal(controls, rare, data).contains("at least 2 sequences"))
        struct NoColumn: Error {}
        var confounded = controls
        confounded.confound = { _ in throw NoColumn() }
        #expect(throws: NoColumn.self) {
            _ = try confounded.run(data, tests: [data], task: task, progress: isTrained)
        }
        var comparison = ProbeComparison(
            [.init(name: "mean", candidates: [fewCandidates()[0]])], selection: smallSelection())
        comparison.controls = confounded
        #expect(throws: NoColumn.self) {
            try comparison.check(data, tests: [.init(name: "test", data: data)], task: task)
        }
    }

    // Of four sequences of a class there are four folds at most, where nobody asks for others.
    @Test func smallClassesHaveFewerFolds() throws {
        let data = try needleSet(count: 40), task = try data.task()
        let few = data.selecting(data.indices.filter { $0 % 2 == 1 || $0 < 8 })
        let scores = try Controls(.mean).run(few, tests: [data], task: task)
        #expect(scores.first { $0.control == .length }?.failure == nil)
        var selection = smallSelection()
        selection.folds = 5
        #expect(throws: DataError.self) {
            try Controls(.mean, selection: selection).run(few, tests: [data], task: task)
        }
    }

    @Test func aColumnOfOtherValuesSaysNothing() throws {
        let sets = [try set([[1], [1]], [0, 1]), try set([[1], [1]], [0, 1], seed: 2)]
        let fault = #expect(throws: ControlFault.self) {
            try ActivationSet.columnStates(sets, [["a", "b"], ["c", "d"]])
        }
        #expect(fault?.description.contains("found none of them") == true)
    }

    @Test func withoutTokenIDsThereIsAReason() throws {
        let data = try needleSet(count: 40)
        var selection = smallSelection()
        selection.folds = 2
        let scores = try Controls(.mean, selection: selection).run(data, tests: [data], task: data.task())
        let failed = scores.filter { $0.failure != nil }
        #expect(failed.map(\.control) == [.tokenBag, .tokenVectors])
        #expect(failed.allSatisfy { $0.failure!.contains("expected token_ids in") && $0.logits.isEmpty })
    }

    @Test func aComparisonHasThem() throws {
        let data = try needleSet(count: 60)
        var selection = smallSelection()
        selection.average = 1
        var comparison = ProbeComparison(
            [
                .init(name: "mean", candidates: [fewCandidates()[0]]),
                .init(name: "attention", candidates: [fewCandidates()[2]]),
            ], selection: selection)
        comparison.bootstrap = Bootstrap(replicates: 20)
        let plain = try comparison.run(data, test: needleSet(count: 40, seed: 2), name: "needle").dataSet
        comparison.controls = Controls(fewCandidates()[2].configuration, selection: selection)
        let set = try comparison.run(data, test: needleSet(count: 40, seed: 2), name: "needle").dataSet
        #expect(plain.controls == nil && plain.rows[1].value == set.rows[1].value)
        let controls = try #require(set.controls)
        #expect(controls.map(\.name) == Control.allCases.filter { $0 != .confound }.map(\.rawValue))
        let best = try #require(controls.compactMap(\.value).max())
        #expect(controls.first { $0.value == best }?.name == set.bestControl)
        for row in set.rows {
            #expect(try abs(#require(row.aboveControl) - (#require(row.value) - best)) < 1e-12)
            #expect(try #require(row.aboveControlLow) <= #require(row.aboveControlHigh))
        }
        let again = try JSONDecoder().decode(Comparison.DataSet.self, from: JSONEncoder().encode(set))
        #expect(again == set)
    }
}
