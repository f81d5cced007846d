public import AttentionProbesHeader
import Activations
import AttentionProbes
import Probes

/// Scores sequences in memory, with several probes in one pass.
@c @implementation
public func ap_score(
    _ handles: UnsafePointer<OpaquePointer?>!, _ count: Int64, _ batch: UnsafePointer<ap_batch>!,
    _ scores: UnsafePointer<ap_scores>!, _ threads: Int32
) -> ap_status {
    status {
        let probes = try unsafe probes(handles, count)
        guard let batch = unsafe batch else {
            throw ArgumentError("batch", expected: "a batch", found: "NULL")
        }
        let wanted = unsafe Array(try array(scores, count, "scores"))
        let threads = try threadCount(threads)
        let sequences = try unsafe batch.pointee.batch("the batch")
        for (i, (target, scores)) in zip(probes, wanted).enumerated() {
            try scores.check("scores[\(i)]", target.probe, sequences)
        }
        let set = try ProbeTarget.set(probes)
        let data = try ActivationSet([ActivationFile(sequences, name: "the batch")], labelled: false)
        if wanted.contains(where: \.wantsSequences) {
            for (i, found) in try set.scores(data, threads: threads).enumerated() {
                wanted[i].put(found, probes[i].probe)
            }
        } else {
            try set.checkFits(data)
        }
        try putTokens(probes, wanted, data, sequences, threads)
    }
}

// What tokens have, of those probes of which it is wanted.
private func putTokens(
    _ probes: [ProbeTarget], _ wanted: [ap_scores], _ data: ActivationSet, _ sequences: RaggedBatch,
    _ threads: Int
) throws {
    let chosen = wanted.indices.filter { wanted[$0].wantsTokens }
    guard !chosen.isEmpty else { return }
    nonisolated(unsafe) let rooms = unsafe chosen.map { wanted[$0] }
    try forEachTokenScores(
        chosen.map { probes[$0].probe }, data,
        tellsDetails: unsafe rooms.contains { $0.attention.isWanted || $0.contributions.isWanted },
        threads: threads
    ) { index, found in
        // Every sequence has rows of its own.
        let first = sequences.rows(index).lowerBound
        for (room, found) in unsafe zip(rooms, found) {
            for (room, values) in unsafe [
                (room.prefix_logits, found.prefixLogits), (room.attention, found.attention),
                (room.contributions, found.contributions),
            ] {
                guard let values else { continue }
                unsafe room.put(values.storage, at: first * values.columns)
            }
        }
    }
}

extension ap_scores {
    fileprivate var wantsSequences: Bool {
        logits.isWanted || probabilities.isWanted || entropies.isWanted
    }

    fileprivate var wantsTokens: Bool {
        attention.isWanted || contributions.isWanted || prefix_logits.isWanted
    }

    // Refuses what there is not, and room that is too small.
    fileprivate func check(_ name: String, _ probe: Probe, _ batch: RaggedBatch) throws(ArgumentError) {
        let (n, t, o, h) = (batch.count, batch.tokens.rows, probe.task.outputs, probe.configuration.heads)
        let attends = probe.configuration.kind.attends
        func check(_ floats: ap_floats, _ field: String, _ rows: Int, _ columns: Int, _ missing: String?)
            throws(ArgumentError)
        {
            if floats.isWanted, let missing {
                throw ArgumentError(
                    "\(name): \(field)", expected: missing, found: probe.configuration.summary)
            }
            try floats.check("\(name): \(field)", rows, columns)
        }
        try check(logits, "logits", n, o, nil)
        try check(
            probabilities, "probabilities", n, o,
            probe.task.kind == .regression ? "a probe that classifies" : nil)
        try check(entropies, "entropies", n, h, probe.hasEntropies ? nil : "a probe with softmax attention")
        let attending = attends ? nil : "a probe that attends to the tokens of a sequence"
        try check(attention, "attention", t, h, attending)
        try check(contributions, "contributions", t, h * o, attending)
        try check(prefix_logits, "prefix_logits", t, o, nil)
    }

    fileprivate func put(_ found: Scores, _ probe: Probe) {
        logits.put(found.logits.storage)
        if probabilities.isWanted {
            for row in 0..<found.logits.rows {
                let values = probe.probabilities(found.logits[row: row])
                probabilities.put(values, at: row * values.count)
            }
        }
        if let entropies = found.entropies { self.entropies.put(entropies.storage) }
    }
}
