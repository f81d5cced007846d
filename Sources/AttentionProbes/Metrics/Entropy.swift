private import Foundation

/// Entropy of a probability distribution in nats, -Σ p·ln p, with 0·ln 0 = 0.
public func entropy(_ probabilities: ArraySlice<Float>) -> Float {
    var sum = 0.0
    for p in probabilities where p > 0 { sum -= Double(p) * log(Double(p)) }
    return Float(sum)
}

/// How evenly a head looks at its tokens: the mean entropy of its attention over the mean entropy
/// of uniform attention, mean of ln n. 1 is uniform, 0 is one token each.
///
/// - Parameters:
///   - entropies: one a sequence.
///   - tokens: n, one a sequence.
/// - Returns: nil where every sequence has one token.
public func entropyRatio(_ entropies: [Float], tokens: [Int]) -> Double? {
    precondition(entropies.count == tokens.count, "one entropy a sequence")
    let uniform = tokens.reduce(0) { $0 + log(Double($1)) }
    return uniform > 0 ? entropies.reduce(0) { $0 + Double($1) } / uniform : nil
}
