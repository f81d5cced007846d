// Where the heads of a probe look, over all sequences of a set. With softmax attention a head gives
// each sequence 1 in all; with tanh the magnitudes are taken, divided by their sum.
public import Tensors
public import Activations

/// Where attention falls along sequences, and on which tokens.
public struct AttentionSummary: Sendable {
    /// A token's text and the attention that all its occurrences receive.
    public struct Token: Sendable, Equatable {
        /// Its text; without text its id.
        public let text: String
        /// How often a probe may look at it.
        public let count: Int
        /// Of each head, the mean over sequences of the attention it receives, 0 to 1; with more than
        /// 32 heads one number, the mean of all.
        public let shares: [Double]
        /// Mean over sequences of the fraction that uniform attention would give it.
        public let uniform: Double
    }

    /// The mean attention of each head in `parts` equal parts of a sequence, as a multiple of
    /// uniform attention, H×parts.
    public let byPosition: Matrix
    /// The tokens that receive most beside uniform attention, of those that occur at least 5 times, or less where no
    /// token occurs so often: of every head the first ones, the most attended by all heads together first; empty where the data have neither texts nor
    /// ids.
    public let tokens: [Token]
    /// How many different tokens there are.
    package let differentTokens: Int
    /// How often a token occurs at least that is named: 5 times, less where no token occurs so often.
    package let leastCount: Int
    /// Parts that a sequence is divided into.
    package static let parts = 20
    /// Heads that are told apart at most.
    package static let mostHeads = 32
    /// Tokens that are named for each head, and for all together.
    package static let tokensPerHead = 12
    // Of rarer tokens, one sequence that happens to hold them says too much.
    static let usualLeastCount = 5
}

extension Probe {
    /// Where the probe looks; nil for kinds without attention over a sequence. See `scored` for this and
    /// scores in one pass.
    ///
    /// - Throws: `DataError` where widths differ, there is no sequence, a hidden state is NaN or infinite, or a
    ///   file has become shorter.
    public func attentionSummary(
        _ data: ActivationSet, threads: Int = Parallel.availableThreads
    ) throws -> AttentionSummary? {
        try pass(data, attention: true, threads: threads, progress: { _ in }).attention
    }
}

/// Adds up where heads look, a sequence at a time and in order.
struct AttentionTally {
    /// Of one sequence: the fraction of each head's attention that each token has, H×n, and each part, H·parts.
    struct Sequence: Sendable {
        let attention: Matrix
        let parts: [Float]

        /// From the attention that a forward pass has left.
        init(_ attention: [Float], heads: Int, tokens: Int) {
            self.attention = shares(attention, heads, tokens)
            parts = partSums(self.attention, AttentionSummary.parts)
        }
    }

    private let heads: Int
    private let tellsHeads: Bool
    private var byPosition: [Double]
    private var ledger: TokenLedger

    init(heads: Int) {
        self.heads = heads
        tellsHeads = heads <= AttentionSummary.mostHeads
        byPosition = Array(repeating: 0, count: heads * AttentionSummary.parts)
        ledger = TokenLedger(heads: tellsHeads ? heads : 1)
    }

    mutating func add(_ sequence: Sequence, _ data: ActivationSet, _ index: Int) {
        for i in sequence.parts.indices { byPosition[i] += Double(sequence.parts[i]) }
        guard data.namesTokens else { return }
        ledger.add(tellsHeads ? sequence.attention : meanRow(sequence.attention), data, index)
    }

    /// What so many sequences have together.
    func summary(sequences: Int) -> AttentionSummary {
        let scale = Double(AttentionSummary.parts) / Double(sequences)
        return AttentionSummary(
            byPosition: Matrix(
                rows: heads, columns: AttentionSummary.parts, storage: byPosition.map { Float($0 * scale) }),
            tokens: ledger.first(AttentionSummary.tokensPerHead, sequences: sequences),
            differentTokens: ledger.names.count, leastCount: ledger.leastCount)
    }
}

// Magnitudes of attention, H×n, each head's divided by their sum.
private func shares(_ attention: [Float], _ heads: Int, _ n: Int) -> Matrix {
    var values = attention[..<(heads * n)].map(abs)
    for h in 0..<heads {
        let sum = values[h * n..<(h + 1) * n].reduce(0, +)
        for j in h * n..<(h + 1) * n { values[j] = sum > 0 ? values[j] / sum : 1 / Float(n) }
    }
    return Matrix(rows: heads, columns: n, storage: values)
}

// The mean of the rows, 1×n.
private func meanRow(_ matrix: Matrix) -> Matrix {
    let means = (0..<matrix.columns).map { j in
        (0..<matrix.rows).reduce(Float(0)) { $0 + matrix[$1, j] } / Float(matrix.rows)
    }
    return Matrix(rows: 1, columns: matrix.columns, storage: means)
}

// Attention in equal parts of the sequence; a token covers 1/n of it and may lie in several parts.
private func partSums(_ attention: Matrix, _ parts: Int) -> [Float] {
    let n = attention.columns
    var sums = [Float](repeating: 0, count: attention.rows * parts)
    for j in 0..<n {
        let (from, to) = (Float(j * parts) / Float(n), Float((j + 1) * parts) / Float(n))
        for part in Int(from)...min(parts - 1, Int(to)) {
            let fraction = (min(to, Float(part + 1)) - max(from, Float(part))) / (to - from)
            guard fraction > 0 else { continue }
            for h in 0..<attention.rows { sums[h * parts + part] += fraction * attention[h, j] }
        }
    }
    return sums
}

// Adds up what each token receives.
private struct TokenLedger {
    let heads: Int
    private(set) var names: [String] = []
    private var numbers: [String: Int] = [:]
    private var counts: [Int] = []
    private var uniform: [Double] = []
    private var totals: [Double] = []

    init(heads: Int) { self.heads = heads }

    mutating func add(_ attention: Matrix, _ data: ActivationSet, _ index: Int) {
        let sequence = data[index]
        for j in 0..<attention.columns {
            let text = data.tokenText(index, position: sequence.position(j))
            let number = numbers[text] ?? insert(text)
            counts[number] += 1
            uniform[number] += 1 / Double(attention.columns)
            for h in 0..<heads { totals[number * heads + h] += Double(attention[h, j]) }
        }
    }

    private mutating func insert(_ text: String) -> Int {
        numbers[text] = names.count
        names.append(text)
        counts.append(0)
        uniform.append(0)
        totals += Array(repeating: 0, count: heads)
        return names.count - 1
    }

    var leastCount: Int { min(AttentionSummary.usualLeastCount, counts.max() ?? 0) }

    func first(_ count: Int, sequences: Int) -> [AttentionSummary.Token] {
        let frequent = names.indices.filter { counts[$0] >= leastCount }
        func first(_ total: (Int) -> Double) -> [Int] {
            let values = names.indices.map { total($0) / uniform[$0] }
            return Array(frequent.sorted { (values[$1], $0) < (values[$0], $1) }.prefix(count))
        }
        let sums = { number in (0..<heads).reduce(0.0) { $0 + totals[number * heads + $1] } }
        let chosen = Set((0..<heads).flatMap { h in first { totals[$0 * heads + h] } } + first(sums))
        let scale = 1 / Double(sequences)
        return chosen.sorted { (sums($0) / uniform[$0], $1) > (sums($1) / uniform[$1], $0) }.map { number in
            AttentionSummary.Token(
                text: names[number], count: counts[number],
                shares: (0..<heads).map { totals[number * heads + $0] * scale },
                uniform: uniform[number] * scale)
        }
    }
}
