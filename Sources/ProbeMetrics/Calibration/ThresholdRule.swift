// A threshold with a guarantee on false positives. Of n negatives that the probe was not trained on, let
// the threshold lie just above the (k+1)-th largest probability, so that k of them are at or above it.
// If new negatives come from the same source, then with the confidence c chosen the fraction of them above
// the threshold is at most the upper bound of Clopper and Pearson (1934) for k of n: the p with
// P(X ≤ k) = 1 - c for X binomial with n and p. k is the largest with a bound within the rate wanted; it
// depends on n alone, so looking at the scores costs no confidence. It holds for negatives that are drawn
// independently, which sequences of one group are not, and for the probes of the folds, of which the one
// trained on everything is taken to be no worse. The binomial law counts sequences, so weights of
// sequences have no part in it. For a monitor that looks after every token the probability of a sequence is the
// largest of its prefixes, and the same holds.
private import Glibc

/// How a threshold was chosen, and what it promises.
public struct ThresholdRule: Sendable, Equatable, Codable {
    /// The fraction of negatives wanted at or above the threshold, at most.
    public let falsePositiveRate: Double
    /// How sure that is, from 0 to 1.
    public let confidence: Double
    /// The bound that holds with this confidence, at most `falsePositiveRate`.
    public let bound: Double
    /// n, the negatives it was found on.
    public let negatives: Int
    /// How many of them are at or above the threshold, k or with ties fewer.
    public let falsePositives: Int
    /// Whether it is for sequences that are looked at after every token, of which the largest probability counts; false
    /// for finished ones.
    package var isStreaming: Bool { streaming == true }
    // Not in the file of a rule for finished sequences.
    private let streaming: Bool?

    private enum CodingKeys: String, CodingKey {
        case confidence, bound, negatives, streaming
        case falsePositiveRate = "false_positive_rate"
        case falsePositives = "false_positives"
    }

    /// Why there is no threshold.
    package enum Fault: Error, Equatable, CustomStringConvertible {
        /// So few negatives promise no such rate, even if none is above the threshold. What is needed is a whole
        /// number, of any size.
        case tooFewNegatives(found: Int, needed: Double)
        /// Too many negatives have a probability of 1.
        case saturated

        /// What is needed.
        package var expected: String {
            switch self {
            case .tooFewNegatives(_, let needed):
                "at least \(needed < 1e15 ? "\(Int(needed))" : "\(needed)") negative sequences for this rate and confidence"
            case .saturated: "no more negative sequences with probability 1 than the rate allows"
            }
        }

        /// What there is.
        package var found: String {
            switch self {
            case .tooFewNegatives(let found, _): "\(found)"
            case .saturated: "more"
            }
        }

        /// Both in a sentence.
        package var description: String { "expected \(expected), found \(found)" }
    }

    /// Checks that so many negatives can promise a rate.
    ///
    /// - Throws: `Fault.tooFewNegatives`.
    package static func check(
        falsePositiveRate rate: Double, confidence: Double, negatives n: Int
    ) throws(Fault) {
        guard n > 0, clopperPearsonUpperBound(0, of: n, confidence: confidence) <= rate else {
            let needed = (log(1 - confidence) / log1p(-rate)).rounded(.up)
            throw .tooFewNegatives(found: n, needed: min(needed, .greatestFiniteMagnitude))
        }
    }

    /// The lowest threshold that keeps the rate, found on the probabilities of negatives: of finished sequences, or
    /// the largest of their prefixes.
    ///
    /// - Precondition: rate and confidence are between 0 and 1.
    /// - Throws: `Fault`.
    package static func threshold(
        falsePositiveRate rate: Double, confidence: Double, negatives: [Float], isStreaming: Bool = false
    ) throws(Fault) -> (threshold: Double, rule: ThresholdRule) {
        precondition(rate > 0 && rate < 1 && confidence > 0 && confidence < 1)
        let n = negatives.count
        try check(falsePositiveRate: rate, confidence: confidence, negatives: n)
        var (k, above) = (0, n)
        while above - k > 1 {
            let middle = (k + above) / 2
            if clopperPearsonUpperBound(middle, of: n, confidence: confidence) <= rate {
                k = middle
            } else {
                above = middle
            }
        }
        let sorted = negatives.sorted(by: >)
        let threshold = k < n ? sorted[k].nextUp : 0
        guard threshold <= 1 else { throw .saturated }
        return (
            Double(threshold),
            ThresholdRule(
                falsePositiveRate: rate, confidence: confidence,
                bound: clopperPearsonUpperBound(k, of: n, confidence: confidence), negatives: n,
                falsePositives: sorted.count { $0 >= threshold }, streaming: isStreaming ? true : nil)
        )
    }
}

/// The upper bound of Clopper and Pearson for a fraction of which k of n were seen: the p with
/// P(X ≤ k) = 1 - confidence for X binomial with n and p; 1 where k = n. O(k).
package func clopperPearsonUpperBound(_ k: Int, of n: Int, confidence: Double) -> Double {
    precondition(0 <= k && k <= n && n > 0, "\(k) of \(n)")
    guard k < n else { return 1 }
    func cumulative(_ p: Double) -> Double {
        let (logP, logQ) = (log(p), log1p(-p))
        // Logarithms of the terms; the binomial coefficient grows by (n - i + 1)/i.
        var (coefficient, largest) = (0.0, -Double.infinity)
        let terms = (0...k).map { i in
            if i > 0 { coefficient += log(Double(n - i + 1) / Double(i)) }
            let term = coefficient + Double(i) * logP + Double(n - i) * logQ
            largest = max(largest, term)
            return term
        }
        return exp(largest) * terms.reduce(0) { $0 + exp($1 - largest) }
    }
    var (low, high) = (Double(k) / Double(n), 1.0)
    while high - low > 1e-15 * high, low < (low + high) / 2, (low + high) / 2 < high {
        let middle = (low + high) / 2
        if cumulative(middle) > 1 - confidence { low = middle } else { high = middle }
    }
    return high
}
