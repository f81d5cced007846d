import ArgumentParser
import AttentionProbes

/// Which sequences folds keep together, the same in every subcommand that has folds.
struct GroupOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What to keep together in folds and held-out parts: a tensor of the files (one number a "
                + "sequence) or a regular expression of ids, of which the first (…) is the group.",
            valueName: "name-or-pattern"))
    var group: String?

    /// The data with the groups asked for; as they are without --group.
    func grouped(_ data: ActivationSet) throws -> ActivationSet {
        guard let group else { return data }
        if data.hasTensor(group) { return try data.grouped(byTensor: group) }
        return try Self.withPattern(group, "group", data) { pattern throws(DataError) in
            try data.grouped(byID: pattern)
        }
    }

    /// The result of `body` for a regular expression, which has to match every id.
    ///
    /// - Parameter option: what errors call it.
    static func withPattern<T>(
        _ text: String, _ option: String, _ data: ActivationSet,
        _ body: (Regex<AnyRegexOutput>) throws(DataError) -> T
    ) throws -> T {
        let tensors = data.integerTensors.isEmpty ? "none" : data.integerTensors.joined(separator: ", ")
        guard let pattern = try? Regex(text) else {
            throw ValidationError(
                "--\(option): expected a tensor with a number a sequence (there are: \(tensors)) or a regular "
                    + "expression, found \(text)")
        }
        do {
            return try body(pattern)
        } catch {
            throw DataError(
                error.rule, error.path, error.place,
                expected:
                    "--\(option) to name a tensor with a number a sequence (there are: \(tensors)), or to be a "
                    + "regular expression that matches every id, as '^(.*)-[0-9]+$'",
                found: "\(text), which does not match the id \(error.found)")
        }
    }
}

extension Watch {
    /// Tells what is to be trained on and how, and warns of sequences that look like groups which nobody
    /// declared.
    ///
    /// - Parameter threads: to look for such sequences; nil for no look.
    func introduce(_ data: ActivationSet, _ task: ProbeTask, _ plan: String, threads: Int?) throws {
        note(data.heading(task))
        note(plan + (data.groups == nil ? "" : ", groups whole"))
        guard let threads, data.groups == nil, let found = try data.nearDuplicates(threads: threads) else {
            return
        }
        note(
            "warning: \(found.sequences) sequences are almost identical to another, as "
                + "\(data.id(found.example.first).printable) and \(data.id(found.example.second).printable); in "
                + "different folds they make metrics too good: --group keeps them together")
    }
}
