import ArgumentParser
import AttentionProbes

// Options that none of the candidates has are refused, not ignored.

extension [ProbeKind] {
    /// Refuses an option that none of the kinds has.
    ///
    /// - Parameters:
    ///   - option: nil where it is not given.
    ///   - has: whether a kind has it.
    ///   - names: the kinds that do, for people.
    func check(_ option: Any?, _ name: String, _ has: (ProbeKind) -> Bool, _ names: String) throws {
        guard option == nil || contains(where: has) else {
            throw ValidationError("--\(name): expected it only with \(names)")
        }
    }

    /// Refuses heads where no kind has them.
    func checkHeads(_ option: Any?) throws {
        try check(
            option, "heads", \.hasHeads, "--kind attention, mlp-attention, multimax or rolling-attention")
    }

    /// Refuses an option of an optimiser where no kind has one.
    func checkTrained(_ option: Any?, _ name: String) throws {
        try check(
            option, name, { !$0.isClosedForm },
            "a kind that an optimiser trains, not mass-mean and lda, which are fitted in one step")
    }

    /// Refuses kinds that cannot do a task.
    func checkFit(_ task: ProbeTask) throws {
        guard let kind = first(where: \.isClosedForm), !task.isBinary else { return }
        throw ValidationError(
            "--kind: expected \(kind.rawValue) only with a binary task, found \(task.name)")
    }
}

extension [Candidate] {
    /// Refuses averages where no candidate can be averaged, and averages of too many heads.
    ///
    /// - Parameter count: how many seeds are averaged.
    func checkAverage(_ count: Int, isGiven: Bool = true) throws {
        let averaged = map(\.configuration).filter(\.canBeAveraged)
        guard !isGiven || count == 1 || !averaged.isEmpty else {
            throw ValidationError(
                "--average: expected it only with --kind attention without --hidden, multimax or "
                    + "rolling-attention")
        }
        guard averaged.allSatisfy({ count * $0.heads <= 4096 }) else {
            throw ValidationError("--average: expected at most 4096 heads altogether")
        }
    }
}
