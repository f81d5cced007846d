private import CKernels

/// w_i = exp(logit_i + slope·(position + i) - origin) of some tokens at successive positions, in double precision and
/// within 2e-7 of each; 0 where it is below 1e-38, and nothing that means anything where it is above 1e34. O(n).
///
/// - Parameters:
///   - range: where the logits are, n of them.
///   - weights: grows to n numbers.
/// - Returns: the largest exponent; -∞ without tokens.
/// - Precondition: no number is NaN, and only logits are infinite.
package func prefixWeights(
    _ logits: Span<Float>, _ range: Range<Int>, slope: Double, position: Int, origin: Double,
    into weights: inout [Double]
) -> Double {
    if weights.count < range.count { weights = Array(repeating: 0, count: range.count) }
    var largest = -Double.infinity
    unsafe logits.extracting(range).withUnsafeBufferPointer { logits in
        unsafe weights.withUnsafeMutableBufferPointer { weights in
            guard let logits = logits.baseAddress, let weights = weights.baseAddress else { return }
            unsafe ck_prefix_weights(
                logits, range.count, slope, Double(position), origin, weights, &largest)
        }
    }
    return largest
}
