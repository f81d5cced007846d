import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Thresholds for sequences that are flagged while they are read")
struct StreamingThresholdTests {
    private let data: ActivationSet
    private let selection: Selection

    init() throws {
        data = try needleSet(count: 80, width: 4, lengths: 2...9)
        var grid = CandidateGrid()
        (grid.kinds, grid.heads) = ([.attention], [2])
        var selection = Selection(grid.candidates(for: try data.task()) { $0.options.epochs = 3 })
        (selection.folds, selection.average, selection.threads, selection.isStreaming) = (3, 2, 1, true)
        self.selection = selection
    }

    /// The probes of the folds, trained here by hand, give the largest logits.
    @Test func largestLogitsAreOutOfFold() throws {
        let result = try selection.run(data)
        let largest = try #require(result.largestLogits)
        #expect(result.chosen.replicates == 2)
        for fold in 0..<3 {
            let probes = try (0..<2).map { seed in
                var options = result.chosen.candidate.options
                (options.seed, options.threads) = (UInt64(seed), 1)
                return try Trainer(result.chosen.candidate.configuration, options: options)
                    .fit(data.selecting(result.folds.training(fold)), task: data.task()).probe
            }
            let rows = result.folds.heldOut(fold)
            let streamed = try Probe.average(probes).streamed(data.selecting(rows))
            #expect(relativeError(rows.map { largest[$0] }, streamed.largestLogits) < 1e-5)
        }
        let outOfFold = try #require(result.chosen.outOfFold)
        #expect(
            zip(largest, outOfFold.storage).allSatisfy { $0 >= $1 - 1e-5 } && largest != outOfFold.storage)

        let probe = try result.deployed(data, falsePositiveRate: 0.2)
        let rule = try #require(probe.thresholdRule)
        let negatives = data.indices.filter { $0 % 2 == 0 }
        #expect(rule.isStreaming && rule.negatives == negatives.count)
        let reached = negatives.count {
            Double(probe.probabilities(CollectionOfOne(largest[$0]))[0]) >= probe.threshold
        }
        #expect(reached == rule.falsePositives)
    }

    /// What a run for finished sequences kept has no parameters: those trainings are done again.
    @Test func journalOfAnotherRule() throws {
        let folder = try TemporaryFolder()
        var finished = selection
        finished.isStreaming = false
        // A result keeps the lock of its journal.
        func run(_ selection: Selection) throws -> (largest: [Float]?, parameters: [Float]) {
            let result = try selection.run(data, journal: folder("a"))
            return (result.largestLogits, result.probe.parameters)
        }
        let first = try run(finished)
        #expect(first.largest == nil)
        let second = try run(selection)
        #expect(second.largest == (try selection.run(data).largestLogits))
        #expect(second.parameters == first.parameters)
        // And what this one kept serves the next.
        let lines = { try String(contentsOfFile: folder("a.partial"), encoding: .utf8).count { $0 == "\n" } }
        let before = try lines()
        #expect(try run(selection).largest == second.largest)
        #expect(try lines() == before)
    }

    /// A probe that is calibrated again keeps nothing of the rule it had.
    @Test func calibratedAgain() throws {
        let result = try selection.run(data)
        let probe = try result.deployed(data, falsePositiveRate: 0.2)
        let scores = UnseenScores(
            logits: try probe.scores(data).logits.storage, labels: data.indices.map { $0 % 2 }, weights: nil)
        let again = try probe.deployed(
            by: scores, calibration: .isotonic, falsePositiveRate: nil, confidence: 0.95, noting: [:])
        #expect(again.thresholdRule == nil && again.threshold == 0.5 && probe.thresholdRule != nil)
        #expect(again.calibration != probe.calibration && again.parameters == probe.parameters)
        let few = UnseenScores(
            logits: [1, 2, 3], largestLogits: [1, 2, 3], labels: [0, 0, 1], weights: nil)
        #expect(throws: ThresholdRule.Fault.tooFewNegatives(found: 2, needed: 29)) {
            try probe.deployed(
                by: few, calibration: .none, falsePositiveRate: 0.1, confidence: 0.95, noting: [:])
        }
    }
}
