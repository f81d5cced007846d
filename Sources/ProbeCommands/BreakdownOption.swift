import ArgumentParser
import AttentionProbes

/// By which groups rates are broken down, the same in every subcommand that judges.
struct BreakdownOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Also tell rates a group: groups for those of the data, a tensor of the files with a number a sequence, "
                + "a regular expression of ids, of which the first (…) is the group, or with --labels a column of it.",
            valueName: "name-or-pattern"))
    var by: String?

    /// The group of each sequence; nil without --by.
    ///
    /// - Parameter labels: where the labels are from, if a table may have the groups.
    func names(of data: ActivationSet, _ task: ProbeTask, labels: LabelOptions?) throws -> [String]? {
        guard let by else { return nil }
        guard task.kind != .regression else {
            throw ValidationError("--by: expected a task of classes, found \(task.name)")
        }
        return try Self.names(by: by, "by", of: data, labels: labels)
    }

    /// The same for any option.
    ///
    /// - Parameter option: what errors call it.
    static func names(
        by: String, _ option: String, of data: ActivationSet, labels: LabelOptions?
    ) throws -> [String] {
        if let table = try labels?.table(groups: (by, option)) {
            return table.groupNames(of: data).map { $0 ?? "none" }
        }
        if by == "groups", let groups = data.groups { return groups.map(String.init) }
        if data.hasTensor(by) { return try data.integers(ofTensor: by).map(String.init) }
        return try GroupOption.withPattern(by, option, data) { pattern throws(DataError) in
            try data.groupNames(byID: pattern)
        }
    }
}
