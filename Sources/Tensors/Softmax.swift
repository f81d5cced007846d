private import CKernels

/// Softmax of logits along a line: w_i ← exp(l_i - max l) / Σ_j exp(l_j - max l) with
/// l_i = logits_i + slope·(start + i).
///
/// The maximum is subtracted first, so no finite input overflows; the exponential is within 1.5
/// units in the last place (0 where it is below 1e-38), and the sum is of double precision. A NaN
/// or +∞ gives NaN in the whole result. O(n).
///
/// - Parameters:
///   - weights: the result stands from element `offset` on.
/// - Returns: the entropy of the result in nats, -Σ_i w_i·ln w_i.
/// - Precondition: `weights` holds n elements from `offset` on.
@discardableResult
public func softmax(
    _ logits: ArraySlice<Float>, slope: Float = 0, start: Float = 0, into weights: inout [Float],
    at offset: Int = 0
) -> Double {
    let count = logits.count
    precondition(offset >= 0 && weights.count - offset >= count, "fewer than \(count) weights")
    var entropy = 0.0
    unsafe logits.withUnsafeBufferPointer { logits in
        unsafe weights.withUnsafeMutableBufferPointer { weights in
            guard let logits = logits.baseAddress, let weights = weights.baseAddress else { return }
            unsafe ck_softmax(logits, count, slope, start, weights + offset, &entropy)
        }
    }
    return entropy
}
