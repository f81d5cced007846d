private import CKernels
private import Glibc

/// Softmax of one head's logits that come a tile at a time: after the last tile, weights over `total` are what a
/// `softmax` over all of them gives, up to rounding.
///
/// With l_i = logits_i + slope·(start + i), weights are e_i = exp(l_i - m). m is the largest l of the first tile, and again of a
/// tile that has one more than 10 above it, which scales the weights of the tiles before.
package struct TileSoftmax: Sendable {
    private var seen = ck_tile_sums()

    /// No tile yet.
    package init() {}

    /// Σ e_i.
    package var total: Double { seen.total }
    /// The entropy of the weights in nats, -Σ (e_i/total)·ln (e_i/total).
    package var entropy: Double { Glibc.log(seen.total) - seen.logits / seen.total }

    /// Adds a tile of finite logits. O(n).
    ///
    /// - Parameters:
    ///   - weights: e_i stand from element `offset` on.
    /// - Returns: what the weights of earlier tiles, and sums by them, have to be multiplied with: mostly 1.
    /// - Precondition: `weights` holds n elements from `offset` on.
    package mutating func add(
        _ logits: ArraySlice<Float>, slope: Float, start: Float, into weights: inout [Float], at offset: Int
    ) -> Float {
        let count = logits.count
        precondition(offset >= 0 && weights.count - offset >= count, "fewer than \(count) weights")
        unsafe logits.withUnsafeBufferPointer { logits in
            unsafe weights.withUnsafeMutableBufferPointer { weights in
                guard let logits = logits.baseAddress, let weights = weights.baseAddress else { return }
                unsafe ck_tile_softmax(logits, count, slope, start, weights + offset, &seen)
            }
        }
        return seen.scale
    }
}
