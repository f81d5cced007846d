// An ensemble of candidates as one more contender, by out-of-fold scores alone:
//
// 1. Contenders are the candidates that folds cannot tell from the best: what the best has more is within two standard
//    errors of the mean difference over folds.
// 2. The best is joined by the contender with which the mean of standardised outputs is best, and so on, while there are
//    contenders and rows of weights (Caruana et al., 2004, "Ensemble selection from libraries of models"). Of a part that
//    is an average, seeds are given up where all do not fit. Of several layers each has the best of its candidates here.
// 3. Each of these sets has equal weights, or such that the loss is least (`Stacking`). Weights for a fold come from the
//    other folds, so that the sums are as out-of-fold as their parts. The best is the contender.
import Activations
import ProbeMetrics
import ProbeTraining
import Probes
import Tensors

/// A part of an ensemble as selection found it.
package struct SelectionPart: Sendable {
    /// The candidate, of as many seeds as are in the ensemble.
    package let entry: SelectionEntry
    /// How much it counts.
    package let weight: Float
    /// What is taken from its outputs, O.
    package let shifts: [Float]
    /// What they are divided by then, O.
    package let scales: [Float]
}

/// Looks for the best ensemble of some candidates.
struct EnsembleSelection {
    let task: ProbeTask
    let targets: Targets
    let folds: Folds
    let metric: Metric
    let weights: [Float]?
    /// Rows of weights of an ensemble at most.
    let mostRows: Int
    /// Rows of weights of a candidate of one seed.
    let rows: (SelectionEntry) -> Int
    /// A candidate with fewer seeds.
    let entry: (SelectionEntry, Int) throws -> SelectionEntry

    /// The best ensemble; nil where there are no two parts.
    func best(of entries: [SelectionEntry]) throws -> SelectionEntry? {
        let able = entries.filter {
            $0.score != nil && $0.pooled != nil && rows($0) <= mostRows
        }
        guard let best = able.max(by: { $0.pooled! < $1.pooled! }) else { return nil }
        var open = able.filter { !$0.isSame(as: best) && $0.isWithin(2, of: best) }
            .sorted { $0.pooled! > $1.pooled! }
        var parts = [best]
        var found: SelectionEntry?
        while !open.isEmpty {
            let sets = try open.indices.compactMap { i in try fitting(parts + [open[i]]).map { (i, $0) } }
            let scored = sets.map { i, parts in (i, parts, pooledMean(parts)) }
            guard let next = scored.max(by: { $0.2 < $1.2 }) else { break }
            parts.append(open.remove(at: next.0))
            for areEqual in [true, false] {
                guard let ensemble = try ensemble(next.1, areEqual: areEqual) else { continue }
                if found?.isWorse(than: ensemble) ?? true { found = ensemble }
            }
        }
        return found
    }

    // With as many seeds of each as there are rows for, one after the other; nil where not even one of each fits.
    private func fitting(_ parts: [SelectionEntry]) throws -> [SelectionEntry]? {
        let costs = parts.map(rows)
        var counts = parts.map { _ in 1 }
        func total() -> Int { zip(costs, counts).reduce(0) { $0 + $1.0 * $1.1 } }
        guard total() <= mostRows else { return nil }
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for i in parts.indices where counts[i] < parts[i].replicates && total() + costs[i] <= mostRows {
                counts[i] += 1
                isGrowing = true
            }
        }
        return try zip(parts, counts).map { $0.replicates == $1 ? $0 : try entry($0, $1) }
    }

    // The metric of the mean of standardised outputs, before any weight is known.
    private func pooledMean(_ parts: [SelectionEntry]) -> Double {
        let scales = parts.map { OutputScale(folds, $0.outOfFold!, targets, task) }
        let outputs = zip(parts, scales).map { $1.standardized($0.outOfFold!, folds) }
        var mean = Matrix(rows: targets.count, columns: task.outputs)
        for row in 0..<mean.rows {
            for o in 0..<mean.columns {
                let sum = outputs.reduce(0.0) { $0 + Double($1[row, o]) }
                mean[row, o] = scales[0].inTargets(sum / Double(parts.count), o)
            }
        }
        return metric.score(mean, folds, targets, task, weights: weights).pooled ?? -.infinity
    }

    // Nil where a part counts for next to nothing, whose rows would be paid for all the same, and where all do: that would
    // be a constant, which is better than candidates that do worse than chance, and tells nothing.
    private func ensemble(_ found: [SelectionEntry], areEqual: Bool) throws -> SelectionEntry? {
        let parts = found.enumerated().sorted {
            ($0.element.firstLayer, $0.offset) < ($1.element.firstLayer, $1.offset)
        }.map(\.element)
        let scales = parts.map { OutputScale(folds, $0.outOfFold!, targets, task) }
        let outputs = zip(parts, scales).map { $1.standardized($0.outOfFold!, folds) }
        let goal = scales[0].standardized(targets)
        func stacking(_ rows: [Int]) throws -> Stacking {
            try Stacking(outputs, rows, goal, task, counts: weights, areEqual: areEqual)
        }
        var unseen = Matrix(rows: targets.count, columns: task.outputs)
        for fold in 0..<folds.count {
            let own = try stacking(folds.training(fold))
            for row in folds.heldOut(fold) {
                for (o, y) in own.outputs(outputs, row).enumerated() {
                    unseen[row, o] = scales[0].inTargets(y, o)
                }
            }
        }
        let all = try stacking(Array(0..<targets.count))
        guard all.weights.min()! > 0.01 * all.weights.max()!, all.weights.reduce(0, +) > 0.01 else {
            return nil
        }
        let own = zip(parts, zip(scales, all.weights)).map { part, own in
            SelectionPart(
                entry: part, weight: Float(own.1), shifts: own.0.shifts.map { Float($0) },
                scales: own.0.partScales.map { Float($0) })
        }
        return SelectionEntry(
            own, bias: all.bias.indices.map { scales[0].inTargets(all.bias[$0], $0) }, unseen: unseen, folds,
            metric, targets, task, weights: weights)
    }
}

extension SelectionEntry {
    fileprivate var firstLayer: Int { layers?.numbers[0] ?? 0 }
}

extension [SelectionEntry] {
    /// The best, all sequences together; or the first that is within one standard error of it, in an order of preference
    /// (Breiman et al., 1984). The error is that of the mean difference over folds. nil where none has a metric.
    func choice(prefersEarlier: Bool) -> Int? {
        let ranked = indices.filter { self[$0].score != nil && self[$0].pooled != nil }
        let best = ranked.max { (self[$0].pooled!, -$0) < (self[$1].pooled!, -$1) }
        guard prefersEarlier, let best else { return best }
        return ranked.first { self[$0].isWithin(1, of: self[best]) }
    }
}
