import Synchronization

/// A line about progress on standard error: redrawn in place on a terminal; elsewhere written now
/// and then as a plain line, the first and the last in any case. Any thread may write to it.
final class ProgressLine: Sendable {
    private struct State {
        var last: ContinuousClock.Instant?
        var pending: String?
    }
    private let isShown: Bool
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    init(isShown: Bool) { self.isShown = isShown }

    /// Seconds since the start.
    var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

    /// Shows a line, or keeps it for `finish` if the one before is recent.
    func show(_ line: @autoclosure () -> String) {
        guard isShown else { return }
        let line = line().printable
        state.withLock { state in
            let now = ContinuousClock.now
            let pause: Duration = .milliseconds(StandardError.isTerminal ? 50 : 5000)
            let isDue = state.last.map { now - $0 > pause } ?? true
            state.pending = line
            if isDue {
                state.last = now
                Self.write(&state)
            }
        }
    }

    /// Shows what is still to be shown, and ends the line.
    func finish() {
        guard isShown else { return }
        state.withLock { Self.write(&$0) }
        abandon()
    }

    /// Ends the line as it is, before an error.
    func abandon() {
        let hasShown = state.withLock { $0.last != nil }
        if isShown, StandardError.isTerminal, hasShown { StandardError.print("") }
    }

    private static func write(_ state: inout State) {
        guard let line = state.pending else { return }
        state.pending = nil
        StandardError.print(
            StandardError.isTerminal ? "\r\u{1B}[K" + line : line,
            terminator: StandardError.isTerminal ? "" : "\n")
    }
}

/// "#####     ", filled by a fraction of the work.
func bar(_ done: Int, of total: Int, width: Int = 10) -> String {
    let filled = total > 0 ? min(width, done * width / total) : width
    return "[" + String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled) + "]"
}

/// "0:07", "12:30", "1:02:03".
func clock(_ seconds: Double) -> String {
    let whole = Int(min(max(seconds, 0), 1e9).rounded())
    let minutes = "\(whole / 60 % 60)"
    let tail = ":" + String(whole % 60).padded(to: 2, with: "0")
    return whole < 3600 ? minutes + tail : "\(whole / 3600):" + minutes.padded(to: 2, with: "0") + tail
}
