private import Foundation

/// Softmax of a range in place: v_i ← exp(v_i - max v) / Σ_j exp(v_j - max v).
///
/// The maximum is subtracted first, so no finite input overflows, and the sum is taken in double
/// precision. A NaN or +∞ gives NaN in the whole range. An empty range stays empty. O(n).
public func softmax(_ values: inout [Float], _ range: Range<Int>) {
    var largest = -Float.infinity
    for i in range { largest = max(largest, values[i]) }
    var sum = 0.0
    for i in range {
        let e = exp(values[i] - largest)
        values[i] = e
        sum += Double(e)
    }
    let scale = Float(1 / sum)
    for i in range { values[i] *= scale }
}
