import Foundation

/// Sequences scored so far, on standard error: redrawn on a terminal, plain lines every few seconds
/// elsewhere.
final class CountDisplay {
    private let total: Int
    private let isShown: Bool
    private let start = Date()
    private var last = Date.distantPast

    init(total: Int, isShown: Bool) {
        self.total = total
        self.isShown = isShown
    }

    func show(_ done: Int) {
        let now = Date()
        let interval = StandardError.isTerminal ? 0.1 : 5
        guard isShown, done == total || now.timeIntervalSince(last) > interval else { return }
        last = now
        let rate = Double(done) / max(1e-9, now.timeIntervalSince(start))
        let left = Int((Double(total - done) / max(1e-9, rate)).rounded())
        let line = "scored \(done)/\(total) sequences, \(Int(rate)) a second, \(left) s left"
        let isTerminal = StandardError.isTerminal
        StandardError.print(isTerminal ? "\r\u{1B}[K" + line : line, terminator: isTerminal ? "" : "\n")
    }

    func finish() {
        if isShown, StandardError.isTerminal { StandardError.print("") }
    }
}
