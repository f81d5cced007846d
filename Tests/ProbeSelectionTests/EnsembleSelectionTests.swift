import AttentionProbes
@testable import ProbeSelection
import TestSupport
import Testing

@Suite("Ensembles of a selection")
struct EnsembleSelectionTests {
    private let data: ActivationSet
    private let folds: Folds
    private let candidates = fewCandidates()

    init() throws {
        data = try needleSet(count: 80)
        folds = try data.folds(4, seed: 0)
    }

    // Each tells a part of the labels, and is on a scale of its own.
    private func entry(_ candidate: Int, noise: Float, scale: Float, seed: UInt64) throws -> SelectionEntry {
        let labels = try data.targets(for: data.task()).hardClasses!
        let random = randomFloats(data.count, seed: seed)
        return try entry(
            candidate, labels.indices.map { scale * (Float(labels[$0]) + noise * random[$0]) + scale })
    }

    private func entry(_ candidate: Int, _ logits: [Float]) throws -> SelectionEntry {
        let task = try data.task(), targets = try data.targets(for: task)
        return SelectionEntry(candidates[candidate], folds, 1, .auroc, targets, task, weights: nil) {
            fold, _ in
            TrialResult(logits: folds.heldOut(fold).map { logits[$0] }, seconds: 1)
        }
    }

    private func search(mostRows: Int) throws -> EnsembleSelection {
        let task = try data.task()
        return EnsembleSelection(
            task: task, targets: try data.targets(for: task), folds: folds, metric: .auroc, weights: nil,
            mostRows: mostRows
        ) { _ in
            4
        } entry: { _, _ in
            throw CancellationError()
        }
    }

    // A head has a row for its query and one for its values.
    @Test func averagesHaveRoomForTheirSeeds() throws {
        var selection = smallSelection()
        (selection.candidates, selection.average, selection.finalists) = (candidates, 4, 9)
        selection.candidates.removeAll { $0.configuration.kind != .attention }
        selection.mostRows = 6
        let result = try selection.run(data)
        for entry in result.entries where entry.parts.isEmpty {
            #expect(entry.replicates == (entry.candidate.configuration.heads == 1 ? 3 : 1), "\(entry.name)")
        }
        #expect(result.probe.configuration.parts.count < 3)
    }

    @Test func whatFoldsCannotTellApartIsAddedUp() throws {
        let entries = [
            try entry(0, noise: 1.2, scale: 100, seed: 1), try entry(1, noise: 1.2, scale: 0.1, seed: 2),
            try entry(2, noise: 30, scale: 1, seed: 3),
        ]
        let ensemble = try #require(try search(mostRows: 100).best(of: entries))
        #expect(ensemble.parts.count == 2 && ensemble.parts.allSatisfy { $0.weight > 0 })
        #expect(entries[0].isWorse(than: ensemble) && entries[1].isWorse(than: ensemble))
        // On scales of their own, both count.
        let outputs = try #require(ensemble.outOfFold)
        for row in data.indices {
            let sum = ensemble.parts.reduce(ensemble.bias[0]) { sum, part in
                sum + part.weight * (part.entry.outOfFold![row, 0] - part.shifts[0]) / part.scales[0]
            }
            #expect(abs(outputs[row, 0] - sum) < 1e-4)
        }
        let weights = ensemble.parts.map(\.weight)
        #expect(weights.max()! < 3 * weights.min()!)
        #expect(ensemble.name.hasPrefix("ensemble of mean") && ensemble.seconds == 8)
    }

    // A sum that counts nothing would be a constant, which is more than candidates have that do worse than chance.
    @Test func noneIsMadeOfCandidatesWorseThanChance() throws {
        let labels = try data.targets(for: data.task()).hardClasses!
        let entries = try (0..<2).map { candidate in
            let random = randomFloats(data.count, seed: UInt64(candidate + 1))
            return try entry(candidate, labels.indices.map { 2 * random[$0] - Float(labels[$0]) })
        }
        #expect(entries.allSatisfy { $0.pooled! < 0.5 })
        let found = try search(mostRows: 100).best(of: entries)
        #expect(found == nil, "\(found?.name ?? "")")
    }

    // What the order of outputs decides does not depend on the scales of folds, whatever the metric.
    @Test(arguments: [Metric.auroc, .partialAUROC, .logAUROC, .averagePrecision, .recallAt5FPR, .accuracy])
    func foldsAreBroughtToOneScale(metric: Metric) throws {
        let task = try data.task(), targets = try data.targets(for: task)
        let noise = randomFloats(data.count, seed: 4)
        func pooled(_ shift: Float) -> Double? {
            let logits = data.indices.map { i in
                let fold = Float(folds.assignment[i])
                return (1 + shift * fold) * (Float(targets.hardClasses![i]) + noise[i] + shift * fold - 0.5)
            }
            return metric.score(
                Matrix(rows: data.count, columns: 1, storage: logits), folds, targets, task, weights: nil
            ).pooled
        }
        let (one, other) = (try #require(pooled(0)), try #require(pooled(3)))
        #expect((abs(one - other) < 1e-9) == metric.isOfOrder, "\(one), \(other)")
    }

    // The second is the first with noise, so that the best weights that are not negative leave it out.
    @Test func partsThatCountForNothingAreNone() throws {
        let best = try entry(0, noise: 1.2, scale: 1, seed: 1)
        let noise = randomFloats(data.count, seed: 4)
        let worse = try entry(1, data.indices.map { best.outOfFold![$0, 0] + 0.6 * noise[$0] })
        #expect(worse.isWorse(than: best) && worse.isWithin(2, of: best))
        let ensemble = try #require(try search(mostRows: 100).best(of: [best, worse]))
        let weights = ensemble.parts.map(\.weight)
        #expect(weights.min()! > 0.01 * weights.max()!, "\(weights)")
    }

    @Test func rowsThatDoNotFitMakeNoEnsemble() throws {
        let entries = [
            try entry(0, noise: 1.2, scale: 1, seed: 1), try entry(1, noise: 1.2, scale: 1, seed: 2),
        ]
        #expect(try search(mostRows: 7).best(of: entries) == nil)
        #expect(try search(mostRows: 8).best(of: entries)?.parts.count == 2)
        #expect(try search(mostRows: 100).best(of: [entries[0]]) == nil)
    }

    // Trained, with fewer seeds than the average where rows are few, and the same on any number of threads.
    @Test func theProbeIsMadeOfItsParts() throws {
        var selection = smallSelection()
        selection.mostRows = 9
        selection.isStreaming = true
        var results: [SelectionResult] = []
        for threads in [1, 3] {
            selection.threads = threads
            results.append(try selection.run(data))
        }
        let entries = results[0].entries
        let ensemble = try #require(entries.last)
        #expect(entries.count == 7 && ensemble.candidate.configuration.kind == .ensemble)
        #expect(results[0].probe.parameters == results[1].probe.parameters)
        #expect(results[0].largestLogits == results[1].largestLogits)
        #expect(results[1].entries.map(\.outOfFold) == entries.map(\.outOfFold))
        let rows = ensemble.candidate.configuration.architectureRows(width: data.width)
        #expect(rows <= 9)
        #expect(results[0].rows.last?.parts?.count == ensemble.parts.count)
    }

    @Test(arguments: [
        ProbeTask.multiclass(classes: ["a", "b", "c"]), .multilabel(classes: ["a", "b"]),
        .regression(outputs: 2),
    ])
    func everyTaskHasScales(task: ProbeTask) throws {
        let columns = task.outputs
        let logits = Matrix(
            rows: data.count, columns: columns, storage: randomFloats(data.count * columns, seed: 1, scale: 5)
        )
        let targets: Targets =
            switch task.kind {
            case .multiclass: .classes(data.indices.map { $0 % 3 })
            case .regression:
                .values(Matrix(rows: data.count, columns: 2, storage: randomFloats(160, seed: 2, scale: 7)))
            default:
                .values(Matrix(rows: data.count, columns: 2, storage: (0..<160).map { $0 % 3 == 0 ? 1 : 0 }))
            }
        let scale = OutputScale(folds, logits, targets, task)
        let found = scale.standardized(logits, folds)
        let rows = folds.heldOut(1)
        switch task.kind {
        case .regression:
            // Those of the targets, which outputs already are like.
            #expect(scale.partScales == [1, 1])
            let y = Double(found[rows[0], 1])
            #expect(abs(scale.inTargets(y, 1) - logits[rows[0], 1]) < 1e-4)
        case .multiclass:
            #expect(scale.shifts == [0, 0, 0] && Set(scale.partScales).count == 1)
        default:
            for o in 0..<columns {
                let values = rows.map { Double(found[$0, o]) }
                let mean = values.reduce(0, +) / Double(values.count)
                let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
                #expect(abs(mean) < 1e-5 && abs(squares - 1) < 1e-5)
            }
        }
    }
}

extension ProbeConfiguration {
    fileprivate func architectureRows(width: Int) -> Int {
        architecture(width: width, outputs: 1).rowsPerToken
    }
}
