import AttentionProbes
import Foundation

/// How far scoring is, in sequences and tokens.
struct ScoreProgress {
    private let data: ActivationSet
    private let tokenCount: Int
    private var tokens = 0
    private(set) var done: Int

    init(_ data: ActivationSet, from start: Int = 0) {
        self.data = data
        done = start
        tokenCount = (start..<data.count).reduce(0) { $0 + data.length($1) }
    }

    mutating func add(_ range: Range<Int>) {
        tokens += range.reduce(0) { $0 + data.length($1) }
        done = range.upperBound
    }

    func line(_ elapsed: Double) -> String {
        let left = elapsed / Double(tokens) * Double(tokenCount - tokens)
        return
            "\(bar(tokens, of: tokenCount)) \(done)/\(data.count) sequences  \(rate(tokens, elapsed))  \(clock(elapsed))<\(clock(left))"
    }
}

/// "3.40 Mtok/s".
func rate(_ tokens: Int, _ elapsed: Double) -> String {
    String(format: "%.2f Mtok/s", Double(tokens) / max(elapsed, 1e-9) * 1e-6)
}
