private import Glibc

/// How evenly a head looks at its tokens: the mean entropy of its attention over the mean entropy
/// of uniform attention, mean of ln n. 1 is uniform, 0 is one token each.
///
/// - Parameters:
///   - entropies: one a sequence.
///   - tokens: n, one a sequence.
/// - Returns: nil where every sequence has one token.
package func entropyRatio(_ entropies: [Float], tokens: [Int]) -> Double? {
    precondition(entropies.count == tokens.count, "one entropy a sequence")
    let uniform = tokens.reduce(0) { $0 + log(Double($1)) }
    return uniform > 0 ? entropies.reduce(0) { $0 + Double($1) } / uniform : nil
}
