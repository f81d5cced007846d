package import AttentionProbes

/// How far scoring is, in sequences and tokens.
package struct ScoreProgress {
    package let data: ActivationSet
    // To do and done in this run.
    private var tokenCount: Int
    private var tokens = 0
    package private(set) var done = 0

    init(_ data: ActivationSet) {
        self.data = data
        tokenCount = data.tokenCount
    }

    mutating func add(_ range: Range<Int>) {
        tokens += tokenCount(range)
        done += range.count
    }

    /// Says that an earlier run has done these.
    mutating func skip(_ range: Range<Int>) {
        tokenCount -= tokenCount(range)
        done += range.count
    }

    private func tokenCount(_ range: Range<Int>) -> Int { range.reduce(0) { $0 + data.length($1) } }

    func line(_ elapsed: Double) -> String {
        let left = elapsed / Double(tokens) * Double(tokenCount - tokens)
        return
            "\(bar(tokens, of: tokenCount)) \(done)/\(data.count) sequences  \(rate(tokens, elapsed))  \(clock(elapsed))<\(clock(left))"
    }
}

/// "3.40 Mtok/s".
func rate(_ tokens: Int, _ elapsed: Double) -> String {
    let perSecond = Double(tokens) / max(elapsed, 1e-9)
    return perSecond < 1e5 ? (perSecond * 1e-3).fixed(1) + " ktok/s" : (perSecond * 1e-6).fixed(2) + " Mtok/s"
}
