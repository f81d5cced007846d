import AttentionProbes
import Foundation

/// Training progress on standard error: one line that is redrawn on a terminal, plain lines
/// elsewhere.
final class TrainingDisplay {
    private let start = Date()
    private let isTerminal = StandardError.isTerminal
    private let barWidth = 16

    func show(_ progress: TrainingProgress) {
        let elapsed = Date().timeIntervalSince(start)
        let left = elapsed / Double(progress.epoch) * Double(progress.epochs - progress.epoch)
        let number = String(progress.epoch).padded(to: String(progress.epochs).count)
        var line = "epoch \(number)/\(progress.epochs)"
        if isTerminal {
            let filled = progress.epoch * barWidth / progress.epochs
            line += " [" + String(repeating: "#", count: filled) + String(repeating: " ", count: barWidth - filled) + "]"
        }
        line += "  loss \(decimal(progress.loss))"
        if let validation = progress.validationLoss { line += "  val \(decimal(validation))" }
        line += "  \(clock(elapsed)) elapsed, \(clock(left)) left"
        StandardError.print(isTerminal ? "\r\u{1B}[K" + line : line, terminator: isTerminal ? "" : "\n")
    }

    /// Ends the redrawn line.
    func finish() {
        if isTerminal { StandardError.print("") }
    }

    private func clock(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        let minutes = "\(whole / 60 % 60)"
        let tail = ":" + String(whole % 60).padded(to: 2, with: "0")
        return whole < 3600 ? minutes + tail : "\(whole / 3600):" + minutes.padded(to: 2, with: "0") + tail
    }
}

/// A number with four decimals.
func decimal(_ value: Double) -> String { String(format: "%.4f", value) }

extension String {
    /// The string, right-aligned in a field.
    func padded(to width: Int, with pad: Character = " ") -> String {
        String(repeating: pad, count: max(0, width - count)) + self
    }

    /// The string, left-aligned in a field.
    func filled(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
