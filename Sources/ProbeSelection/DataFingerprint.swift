import Tensors
import Activations

extension ActivationSet {
    /// What trainings on these data and folds depend on: a hash of the task, the folds, and of each sequence its
    /// hidden states, which of them are in sight, and its label, weight, group and id; and what it is best to have by
    /// name. Reads all hidden states once.
    ///
    /// - Throws: `CancellationError` when interrupted.
    func fingerprint(
        _ folds: Folds, _ task: ProbeTask, seed: UInt64, threads: Int, isInterrupted: @Sendable () -> Bool
    ) throws -> SelectionJournal.Fingerprint {
        var hash = DataHash()
        hash.add("\(task)")
        for number in [count, width, folds.count] + folds.assignment { hash.add(UInt64(number)) }
        for sequence in try sequenceHashes(threads, isInterrupted) { hash.add(sequence) }
        return SelectionJournal.Fingerprint(
            data: String(hash.value, radix: 16), folds: folds.count, seed: seed)
    }

    /// A hash of everything about the sequences.
    ///
    /// - Throws: `CancellationError` when interrupted.
    func statesHash(threads: Int, isInterrupted: @Sendable () -> Bool) throws -> String {
        var hash = DataHash()
        for sequence in try sequenceHashes(threads, isInterrupted) { hash.add(sequence) }
        return String(hash.value, radix: 16)
    }

    private func sequenceHashes(_ threads: Int, _ isInterrupted: @Sendable () -> Bool) throws -> [UInt64] {
        let readAhead = readAhead(indices)
        return try Parallel.map(count: count, threads: threads, workspace: { [UInt8]() }) { index, scratch in
            if isInterrupted() { throw CancellationError() }
            defer { readAhead.advance(byteCount(index)) }
            return sequenceHash(index, scratch: &scratch)
        }
    }

    // Everything about one sequence.
    private func sequenceHash(_ index: Int, scratch: inout [UInt8]) -> UInt64 {
        let sequence = self[index]
        var hash = DataHash()
        hash.add(id(index))
        hash.add(sequence.rows, of: sequence.tokens, scratch: &scratch)
        hash.add(UInt64(sequence.count))
        if sequence.count < sequence.rows.count {
            for j in 0..<sequence.count { hash.add(UInt64(sequence.position(j))) }
        }
        switch targets?[index] {
        case .class(let label): hash.add(UInt64(label))
        case .values(let values): for value in values { hash.add(UInt64(value.bitPattern)) }
        case .probability(let probability): hash.add(UInt64(probability.bitPattern))
        case nil: break
        }
        hash.add(weights.map { UInt64($0[index].bitPattern) } ?? 0)
        hash.add(groups.map { UInt64(bitPattern: Int64($0[index])) } ?? 0)
        return hash.value
    }
}
