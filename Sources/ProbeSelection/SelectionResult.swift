public import Activations
public import ProbeMetrics
public import Probes

/// The chosen probe and how it was chosen.
public struct SelectionResult: Sendable {
    /// What was chosen, trained on all sequences.
    public let probe: Probe
    /// All candidates, in the order given, and behind them an ensemble if there was one to try. Of a selection over layers
    /// the best of each layer, in their order, and behind them an ensemble across layers.
    public let entries: [SelectionEntry]
    /// What they were compared by.
    public let metric: Metric
    /// The fold of each sequence.
    public let folds: Folds
    /// Of each sequence the largest logit of any prefix, by the probe that did not see its fold; nil where the selection
    /// is not `isStreaming`.
    package let largestLogits: [Float]?
    /// Of a selection over layers what was found of each, in the order of `entries`; else empty.
    package var layers: [LayerRow] = []

    let journal: SelectionJournal

    /// Removes the file that keeps trainings: call it when the probe is where it should be. Where an
    /// earlier run left trainings that were of no use to this one, it stays as that left it.
    ///
    /// - Returns: how many of those there are.
    @discardableResult public func removeJournal() -> Int { journal.remove() }

    /// What was chosen.
    public var chosen: SelectionEntry { entries.first(where: \.isChosen)! }

    /// A candidate in JSON. What may be absent in a file of another program is nil there.
    package struct Row: Codable, Sendable, Equatable {
        /// "attention, 8 heads, l2 0.1".
        package let name: String
        /// The mean, the least and the greatest of the folds.
        package let score, low, high: Double?
        /// The metric of each fold.
        package let folds: [Double?]?
        /// The metric of all sequences together, as `SelectionEntry.pooled`.
        package let pooled: Double?
        /// What an ensemble is made of; nil for others.
        package let parts: [Part]?
        /// Seconds of training on one thread.
        package let seconds: Double?
        /// Whether every training came to its end, and whether the candidate was chosen.
        package let converged, chosen: Bool?
        /// The error that ended a training; nil without.
        package let failure: String?

        init(_ entry: SelectionEntry) {
            let scores = entry.folds.compactMap(\.self)
            (name, folds, seconds) = (entry.name, entry.folds, entry.seconds)
            (score, low, high) = (entry.score, scores.min(), scores.max())
            pooled = entry.pooled
            parts =
                entry.parts.isEmpty
                ? nil : entry.parts.map { Part(name: $0.entry.name, weight: Double($0.weight)) }
            (converged, chosen, failure) = (entry.converged, entry.isChosen, entry.failure)
        }
    }

    /// A part of an ensemble in JSON.
    package struct Part: Codable, Sendable, Equatable {
        /// "attention, 8 heads, average of 3".
        package let name: String
        /// How much its standardised outputs count.
        package let weight: Double
    }

    /// What was found of a layer, or of an ensemble across layers, in JSON.
    package struct LayerRow: Codable, Sendable, Equatable {
        /// Its number, or those of the ensemble's parts.
        package let layers: [Int]
        /// The best of its candidates: "attention, 8 heads, l2 0.1"; of an ensemble "ensemble across layers".
        package let name: String
        /// Its metric of all sequences together, as `SelectionEntry.pooled`, and the 95 % interval of that.
        package let value, low, high: Double?
        /// Whether it was chosen.
        package let chosen: Bool?
        /// The error that ended a training; nil without.
        package let failure: String?
        /// What it was chosen among; nil in a probe's file, and for an ensemble.
        package let candidates: [Row]?
    }

    /// The entries.
    package var rows: [Row] { entries.map(Row.init) }
}

/// The candidates of a selection, as a probe file holds them.
package struct SelectionTable: Codable, Sendable {
    package let metric: String
    package let folds: Int?
    package let candidates: [SelectionResult.Row]
    package let layers: [SelectionResult.LayerRow]?
}
