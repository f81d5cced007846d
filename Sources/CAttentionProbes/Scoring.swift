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
        for i in probes.indices {
            try unsafe wanted[i].check("scores[\(i)]", probes[i].probe, sequences)
        }
        let set = try ProbeTarget.set(probes)
        try set.checkFits(width: sequences.width, "the batch")
        // Needed for errors and token scores only; making it takes longer than scoring a short sequence.
        func data() throws -> ActivationSet {
            try ActivationSet([ActivationFile(sequences, name: "the batch")], labelled: false)
        }
        if unsafe wanted.contains(where: unsafe \.wantsSequences) {
            do {
                for (i, found) in try set.scores(sequences, threads: threads).enumerated() {
                    unsafe wanted[i].put(found, probes[i].probe)
                }
            } catch let fault as NonFiniteSequence {
                throw try data().projectionError(in: fault.index)
            }
        }
        if unsafe wanted.contains(where: unsafe \.wantsTokens) {
            unsafe try putTokens(probes, wanted, data(), sequences, threads)
        }
    }
}

// Writes attention, contributions and prefix scores of the probes that have room for them.
private func putTokens(
    _ probes: [ProbeTarget], _ wanted: [ap_scores], _ data: ActivationSet, _ sequences: RaggedBatch,
    _ threads: Int
) throws {
    let chosen = unsafe wanted.indices.filter { unsafe wanted[$0].wantsTokens }
    nonisolated(unsafe) let rooms = unsafe chosen.map { unsafe wanted[$0] }
    try forEachTokenScores(
        chosen.map { probes[$0].probe }, data,
        tellsDetails: unsafe rooms.contains { unsafe $0.attention.isWanted || $0.contributions.isWanted },
        threads: threads
    ) { index, found in
        // No two sequences write to the same rows.
        let first = sequences.rows(index).lowerBound
        for (i, found) in found.enumerated() {
            unsafe rooms[i].put(found, at: first)
        }
    }
}

extension ap_scores {
    fileprivate var wantsSequences: Bool {
        unsafe logits.isWanted || probabilities.isWanted || entropies.isWanted
    }

    fileprivate var wantsTokens: Bool {
        unsafe attention.isWanted || contributions.isWanted || prefix_logits.isWanted
    }

    // Refuses results that the probe does not have, and room that is too small.
    fileprivate func check(_ name: String, _ probe: Probe, _ batch: RaggedBatch) throws(ArgumentError) {
        let (n, t, o, h) = (batch.count, batch.tokens.rows, probe.task.outputs, probe.configuration.heads)
        let attends = probe.configuration.attends
        func check(_ floats: ap_floats, _ field: String, _ rows: Int, _ columns: Int, _ missing: String?)
            throws(ArgumentError)
        {
            if unsafe floats.isWanted, let missing {
                throw ArgumentError(
                    "\(name): \(field)", expected: missing, found: probe.configuration.summary)
            }
            unsafe try floats.check("\(name): \(field)", rows, columns)
        }
        unsafe try check(logits, "logits", n, o, nil)
        unsafe try check(
            probabilities, "probabilities", n, o,
            probe.task.kind == .regression ? "a probe that classifies" : nil)
        unsafe try check(
            entropies, "entropies", n, h, probe.hasEntropies ? nil : "a probe with softmax attention")
        let attending = attends ? nil : "a probe that attends to the tokens of a sequence"
        unsafe try check(attention, "attention", t, h, attending)
        unsafe try check(contributions, "contributions", t, h * o, attending)
        unsafe try check(prefix_logits, "prefix_logits", t, o, nil)
    }

    fileprivate func put(_ found: Scores, _ probe: Probe) {
        unsafe logits.put(found.logits.storage)
        if unsafe probabilities.isWanted {
            for row in 0..<found.logits.rows {
                let values = probe.probabilities(found.logits[row: row])
                unsafe probabilities.put(values, at: row * values.count)
            }
        }
        if let entropies = found.entropies { unsafe self.entropies.put(entropies.storage) }
    }

    // Writes the token scores of a sequence, from the row of its first token on.
    fileprivate func put(_ found: TokenScores, at first: Int) {
        unsafe prefix_logits.put(found.prefixLogits.storage, at: first * found.prefixLogits.columns)
        if let found = found.attention { unsafe attention.put(found.storage, at: first * found.columns) }
        if let found = found.contributions {
            unsafe contributions.put(found.storage, at: first * found.columns)
        }
    }
}

extension ap_scores {
    /// The outputs, and where they are given the entropies, that a caller has of `count` sequences by a probe.
    func scores(_ probe: Probe, _ count: Int) throws(ArgumentError) -> Scores {
        guard unsafe logits.isWanted else {
            throw ArgumentError(
                "scores: logits", expected: "\(count)×\(probe.task.outputs) numbers", found: "NULL")
        }
        let hasEntropies = unsafe probe.hasEntropies && entropies.isWanted
        return try Scores(
            range: 0..<count, logits: unsafe logits.matrix("scores: logits", count, probe.task.outputs),
            entropies: hasEntropies
                ? unsafe entropies.matrix("scores: entropies", count, probe.configuration.heads) : nil)
    }
}
