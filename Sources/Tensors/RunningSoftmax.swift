private import CKernels

/// Softmax attention of one head over tokens that come a tile at a time, with what its value and its
/// gradient take: after the last tile the same as a `softmax` over all of them, up to rounding.
///
/// With l_i = logit_i + slope·t_i, t_i the position counted from `first`, and e_i = exp(l_i - m):
///
///     total = Σ e_i    values = Σ e_i·(value_i - c)    positions = Σ e_i·t_i
///     products = Σ e_i·(value_i - c)·t_i
///
/// m is the largest l of the first tile, and again of a tile that has one more than 10 above it; c is the
/// mean value after the first tile, and again when the mean has moved two standard deviations away. (After the
/// running maximum of Milakov and Gimelshein, 2018, arXiv 1805.02867, which changes with every new one.)
package struct RunningSoftmax: Sendable {
    private var run = ck_running_softmax()

    /// No token yet.
    package init() {}

    /// Σ e_i.
    package var total: Double { run.total }
    /// Σ e_i·(value_i - c).
    package var values: Double { run.values }
    /// Σ e_i·t_i.
    package var positions: Double { run.positions }
    /// Σ e_i·(value_i - c)·t_i.
    package var products: Double { run.products }
    /// c.
    package var center: Float { run.center }

    /// Adds a tile of tokens. In `z`, e_i takes the place of its logits and e_i·(value_i - c) that of its
    /// values.
    ///
    /// - Parameters:
    ///   - logits: where the tile's logits start in `z`.
    ///   - values: likewise its values.
    ///   - positions: one a token.
    ///   - first: what positions are counted from.
    /// - Precondition: all numbers are finite, and `z` holds both lines.
    package mutating func add(
        _ z: inout [Float], logits: Int, values: Int, slope: Float, positions: ArraySlice<Float>,
        first: Float
    ) {
        let count = positions.count
        precondition(
            min(logits, values) >= 0 && max(logits, values) + count <= z.count
                && abs(logits - values) >= count,
            "no two lines of \(count) numbers")
        unsafe z.withUnsafeMutableBufferPointer { z in
            unsafe positions.withUnsafeBufferPointer { positions in
                guard let z = z.baseAddress, let positions = positions.baseAddress else { return }
                unsafe ck_run_softmax(z + logits, z + values, count, slope, positions, first, &run)
            }
        }
    }

    /// Brings weighted sums of earlier tiles' tokens, one by e_i·(value_i - c) and one by e_i, to the m
    /// and c that the last tile left. O(width) where they changed, else O(1).
    ///
    /// - Parameters:
    ///   - totals: where the sums by e_i start in `sums`.
    ///   - deviations: likewise those by e_i·(value_i - c).
    /// - Precondition: `sums` holds both, `width` elements each.
    package func rescale(_ sums: inout [Float], totals: Int, deviations: Int, width: Int) {
        guard run.scale != 1 || run.shift != 0 else { return }
        BLAS.axpby(-run.scale * run.shift, from: totals, run.scale, to: deviations, count: width, in: &sums)
        BLAS.axpby(0, from: deviations, run.scale, to: totals, count: width, in: &sums)
    }
}
