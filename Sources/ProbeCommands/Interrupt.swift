import AttentionProbes

/// Signals that ask the work to stop, as `EndSignals` has them; listened to until the process ends.
final class Interrupt: Sendable {
    private let isQuiet: Bool

    init(isQuiet: Bool) {
        self.isQuiet = isQuiet
        EndSignals.listen()
    }

    /// Whether one has come.
    var isSet: Bool { EndSignals.isSet }

    /// What to say when work is stopped that keeps its trainings in files.
    ///
    /// - Parameter journals: where it keeps them; none where it can keep nothing.
    static func farewell(_ journals: [String]) -> String {
        guard !journals.isEmpty else { return "interrupted" }
        let isAnyKept = journals.contains { FileIdentity(path: OutputFile.partialPath($0)) != nil }
        return isAnyKept
            ? "interrupted; the same command goes on from here"
            : "interrupted before there was anything to save"
    }

    /// Says that the process may end if the work does not stop within a second, with a note; nil where that would lose
    /// something.
    func mayEnd(_ note: String?) {
        EndSignals.mayEnd(
            note.map { isQuiet ? "" : (StandardError.isTerminal ? "\n" : "") + $0 + "\n" })
    }
}
