import Foundation
import Tensors

/// Kinds of probes against each other on one set of data, each selected in the same way: what the blog's
/// experiment was.
public struct Contest: Sendable {
    /// One kind of probe with the candidates to select from.
    public struct Contender: Sendable {
        /// What to call it: "attention, 8 heads".
        public let name: String
        /// What selection chooses from, at least one.
        public let candidates: [Candidate]

        /// A contender.
        public init(name: String, candidates: [Candidate]) {
            self.name = name
            self.candidates = candidates
        }
    }

    /// The contenders; the first is the baseline.
    public var contenders: [Contender]
    /// How each is selected; its candidates are the contender's.
    public var selection: Selection
    /// How intervals are found.
    public var bootstrap = Bootstrap()

    /// A contest.
    ///
    /// - Precondition: there is a contender.
    public init(_ contenders: [Contender], selection: Selection) {
        precondition(!contenders.isEmpty, "no contenders")
        self.contenders = contenders
        self.selection = selection
    }

    /// Selects and trains every contender on one set and judges it on another. Intervals are from a
    /// stratified bootstrap of the test sequences, differences from the same draws for both probes.
    ///
    /// - Parameters:
    ///   - name: what to call the data.
    ///   - progress: is told the contender and how far its selection has come.
    /// - Throws: as `Selection.run`; `DataError` where the test data do not fit.
    public func run(
        _ training: ActivationSet, test: ActivationSet, task: ProbeTask? = nil, name: String,
        progress: @escaping @Sendable (String, Selection.Progress) -> Void = { _, _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws -> Comparison.DataSet {
        let task = try task ?? training.task()
        let targets = try test.targets(for: task)
        let metric = selection.metric ?? .suited(to: task)
        var logits: [Matrix] = []
        var entropies: [Double?] = []
        for contender in contenders {
            var selection = selection
            selection.candidates = contender.candidates
            selection.metric = metric
            let probe = try selection.run(
                training, task: task, progress: { progress(contender.name, $0) },
                isInterrupted: isInterrupted
            ).probe
            logits.append(try probe.scores(test, threads: selection.threads).logits)
            let ratios = try probe.evaluate(test, threads: selection.threads).entropyRatio
            entropies.append(ratios.flatMap { mean($0) })
        }
        let all = logits
        @Sendable func figures(_ draw: [Int]) -> [Double?] {
            let own = targets.selecting(draw)
            let values = all.map { metric.value($0.selecting(draw), own, task) }
            let differences = values.dropFirst().map { value in
                value.flatMap { value in values[0].map { value - $0 } }
            }
            return values + differences
        }
        let strata = Dictionary(grouping: test.indices) { test.strata[$0] }.sorted { $0.key < $1.key }
        let intervals = try bootstrap.intervals(
            strata: strata.map(\.value), threads: selection.threads, figures)
        let values = figures(Array(test.indices))
        let rows = contenders.indices.compactMap { i -> Comparison.Row? in
            guard let value = values[i] else { return nil }
            let difference = i == 0 ? nil : contenders.count + i - 1
            return Comparison.Row(
                name: contenders[i].name, value: value, low: intervals[i]?.lowerBound,
                high: intervals[i]?.upperBound, difference: difference.flatMap { values[$0] },
                differenceLow: difference.flatMap { intervals[$0]?.lowerBound },
                differenceHigh: difference.flatMap { intervals[$0]?.upperBound },
                entropyRatio: entropies[i])
        }
        return Comparison.DataSet(
            name: name, metric: metric.title, baseline: contenders[0].name, rows: rows)
    }
}

extension Matrix {
    /// Some of the rows, in the order given.
    fileprivate func selecting(_ rows: [Int]) -> Matrix {
        Matrix(rows: rows.count, columns: columns, storage: rows.flatMap { self[row: $0] })
    }
}
