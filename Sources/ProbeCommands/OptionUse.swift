import ArgumentParser
import AttentionProbes

// Options with values that they cannot have, and options that none of the candidates has, are refused, not ignored.

/// Refuses a value that an option cannot have.
///
/// - Parameters:
///   - value: nil where the option is not given.
///   - expected: what it may be, for people.
func require<T>(_ value: T?, _ name: String, _ expected: String, _ isValid: (T) -> Bool) throws {
    guard let value, !isValid(value) else { return }
    throw ValidationError("--\(name): expected \(expected), found \(value)")
}

/// Refuses a list with a value that an option cannot have.
func require<T>(_ list: CommaList<T>?, _ name: String, _ expected: String, _ isValid: (T) -> Bool) throws {
    try require(list?.values.first { !isValid($0) }, name, expected, isValid)
}

/// Refuses a number outside a range.
func require(_ value: Int?, _ name: String, from least: Int = 1, to most: Int = .max) throws {
    let expected = most == .max ? "\(least) or more" : "a number from \(least) to \(most)"
    try require(value, name, expected) { (least...most).contains($0) }
}

/// Refuses a value that a hyperparameter cannot have.
///
/// - Parameter option: what the option is called; nil for the hyperparameter's name.
func require(_ value: Double, _ hyperparameter: Hyperparameter, option: String? = nil, found: String) throws {
    guard !hyperparameter.isOption(value) else { return }
    throw ValidationError(
        "--\(option ?? hyperparameter.name): expected \(hyperparameter.expectedOption), found \(found)")
}

/// Refuses a list with a value that a hyperparameter cannot have.
func require(_ list: CommaList<Int>?, _ hyperparameter: Hyperparameter) throws {
    for value in list?.values ?? [] { try require(Double(value), hyperparameter, found: "\(value)") }
}

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

    /// Refuses a hyperparameter that none of the kinds has.
    func check(_ option: Any?, _ hyperparameter: Hyperparameter) throws {
        try check(
            option, hyperparameter.name, { $0.has(hyperparameter) },
            "--kind \(names({ $0.has(hyperparameter) }, last: " or "))")
    }

    /// Refuses the value of a hyperparameter that one of the kinds cannot have.
    func check(_ value: Double, _ hyperparameter: Hyperparameter, found: String) throws {
        for (own, _) in flatMap(\.hyperparameters) where own == hyperparameter {
            try require(value, own, found: found)
        }
    }

    /// Refuses an option of an optimiser where no kind has one.
    func checkTrained(_ option: Any?, _ name: String) throws {
        try check(
            option, name, { !$0.isClosedForm },
            "a kind that an optimiser trains, not \(names(\.isClosedForm, last: " and ")), which are fitted in one step"
        )
    }

    /// Refuses kinds that cannot do a task.
    func checkFit(_ task: ProbeTask) throws {
        guard let kind = first(where: { !$0.fits(task) }) else { return }
        let tasks = kind.isClosedForm ? [.binary] : ProbeTask.Kind.allCases.filter(kind.tasks.contains)
        throw ValidationError(
            "--kind: expected \(kind.rawValue) only with a \(tasks.map(\.rawValue).joined(separator: " or ")) task, "
                + "found \(task.name)")
    }
}

extension [ProbeConfiguration] {
    /// Refuses averages where none can be averaged, and averages of too many heads.
    ///
    /// - Parameter count: how many seeds are averaged.
    func checkAverage(_ count: Int, isGiven: Bool = true) throws {
        let averaged = filter(\.canBeAveraged)
        guard !isGiven || count == 1 || !averaged.isEmpty else {
            throw ValidationError(
                "--average: expected it only with --kind \(averagedKinds(last: " or "))")
        }
        if let most = averaged.map(\.heads).max(), count * most > 4096 {
            throw ValidationError(
                "--average: expected at most 4096 heads altogether, found \(count) times \(most)")
        }
    }
}
