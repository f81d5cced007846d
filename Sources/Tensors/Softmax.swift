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
package func softmax(
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

/// The gradient by the logits of a softmax from that by its weights: d_i = w_i·(g_i - Σ_j w_j·g_j), in
/// place of g, sums in double precision. O(n).
///
/// - Parameters:
///   - start: where g starts in `gradient`.
///   - positions: the positions that the logits had a slope along, one each, counted from `first`.
///   - mean: Σ_j w_j·g_j where the weights are only a part of those of the softmax; else it is computed.
/// - Returns: the gradient by that slope, Σ_i d_i·(positions_i - first).
/// - Precondition: `gradient` holds n elements from `start` on, and there are n positions.
package func softmaxGradient(
    _ weights: ArraySlice<Float>, _ gradient: inout [Float], at start: Int, positions: ArraySlice<Float>,
    first: Float, mean: Double? = nil
) -> Double {
    let count = weights.count
    precondition(start >= 0 && gradient.count - start >= count, "fewer than \(count) gradients")
    precondition(positions.count == count, "\(positions.count) positions for \(count) weights")
    let mean = Float(mean ?? dot(weights, gradient[start..<start + count]))
    var slope = 0.0
    unsafe weights.withUnsafeBufferPointer { weights in
        unsafe gradient.withUnsafeMutableBufferPointer { gradient in
            unsafe positions.withUnsafeBufferPointer { positions in
                guard let weights = weights.baseAddress, let gradient = gradient.baseAddress,
                    let positions = positions.baseAddress
                else { return }
                unsafe ck_softmax_gradient(weights, gradient + start, count, positions, first, mean, &slope)
            }
        }
    }
    return slope
}
