// Where the heads of a probe look, over all sequences of a set. With softmax attention a head gives
// each sequence 1 in all; with tanh the magnitudes are taken, divided by their sum.
public import Tensors

/// Where attention falls along sequences, and on which tokens.
public struct AttentionSummary: Sendable {
    /// A token's text and the attention that all its occurrences receive.
    public struct Token: Sendable, Equatable {
        /// Its text; without text its id.
        public let text: String
        /// How often a probe may look at it.
        public let count: Int
        /// Of each head, the mean over sequences of the attention it receives, 0 to 1; with more than
        /// `mostHeads` one number, the mean of all.
        public let shares: [Double]
        /// Mean over sequences of the share that uniform attention would give it.
        public let uniform: Double
    }

    /// The mean attention of each head in `parts` equal parts of a sequence, as a multiple of
    /// uniform attention, H×parts.
    public let byPosition: Matrix
    /// The tokens that receive most: of every head the first ones, the most attended by all heads
    /// together first; empty where the data have neither texts nor ids.
    public let tokens: [Token]
    /// How many different tokens there are.
    public let differentTokens: Int
    /// Parts that a sequence is divided into.
    public static let parts = 20
    /// Heads that are told apart at most.
    public static let mostHeads = 32
}

extension Probe {
    /// Where the probe looks; nil for kinds without attention over a sequence.
    ///
    /// - Parameters:
    ///   - tokensPerHead: how many tokens to name for each head, and for all together.
    /// - Throws: `DataError` where widths differ, there is no sequence, a hidden state is NaN or infinite, or a
    ///   file has become shorter.
    public func attentionSummary(
        _ data: ActivationSet, tokensPerHead: Int = 12, threads: Int = Parallel.availableThreads
    ) throws -> AttentionSummary? {
        guard configuration.kind.attends else { return nil }
        let set = ProbeSet([self])
        try set.checkFits(data)
        let (heads, parts) = (configuration.heads, AttentionSummary.parts)
        var byPosition = [Double](repeating: 0, count: heads * parts)
        let tellsHeads = heads <= AttentionSummary.mostHeads
        var ledger = TokenLedger(heads: tellsHeads ? heads : 1)
        var start = 0
        while start < data.count {
            // A chunk bounds how much attention is in memory.
            var (end, tokens) = (start, 0)
            while end < data.count, tokens * heads < 1 << 21 {
                tokens += data.length(end)
                end += 1
            }
            try data.checkLengths(start..<end)
            let found = try Parallel.map(
                count: end - start, threads: threads, workspace: Workspace.init
            ) { [start] offset, work -> (attention: Matrix, parts: [Float]) in
                let sequence = data[start + offset]
                do {
                    try set.pass.forward(sequence, &work)
                } catch {
                    throw data.projectionError(in: start + offset)
                }
                let attention = shares(work.attention, heads, sequence.count)
                return (attention, partSums(attention, parts))
            }
            for (offset, found) in found.enumerated() {
                for i in found.parts.indices { byPosition[i] += Double(found.parts[i]) }
                guard data.namesTokens else { continue }
                ledger.add(
                    tellsHeads ? found.attention : meanRow(found.attention), data, start + offset)
            }
            start = end
        }
        try data.checkNothingLost(data.indices)
        let scale = Double(parts) / Double(data.count)
        return AttentionSummary(
            byPosition: Matrix(
                rows: heads, columns: parts, storage: byPosition.map { Float($0 * scale) }),
            tokens: ledger.first(tokensPerHead, sequences: data.count),
            differentTokens: ledger.names.count)
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
            let share = (min(to, Float(part + 1)) - max(from, Float(part))) / (to - from)
            guard share > 0 else { continue }
            for h in 0..<attention.rows { sums[h * parts + part] += share * attention[h, j] }
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

    func first(_ count: Int, sequences: Int) -> [AttentionSummary.Token] {
        func first(_ total: (Int) -> Double) -> [Int] {
            let values = names.indices.map(total)
            return Array(names.indices.sorted { values[$0] > values[$1] }.prefix(count))
        }
        let sums = { number in (0..<heads).reduce(0.0) { $0 + totals[number * heads + $1] } }
        let chosen = Set((0..<heads).flatMap { h in first { totals[$0 * heads + h] } } + first(sums))
        let scale = 1 / Double(sequences)
        return chosen.sorted { (sums($0), $1) > (sums($1), $0) }.map { number in
            AttentionSummary.Token(
                text: names[number], count: counts[number],
                shares: (0..<heads).map { totals[number * heads + $0] * scale },
                uniform: uniform[number] * scale)
        }
    }
}
