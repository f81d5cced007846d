private import CKernels

/// Softmax of a range in place: v_i ← exp(v_i - max v) / Σ_j exp(v_j - max v).
///
/// The maximum is subtracted first, so no finite input overflows; the exponential is within 1.5
/// units in the last place (0 where it is below 1e-38), and the sum is of double precision. A NaN
/// or +∞ gives NaN in the whole range. An empty range stays empty. O(n).
///
/// - Precondition: the range lies inside the array.
public func softmax(_ values: inout [Float], _ range: Range<Int>) {
    values.withPart(range) { part in
        let count = part.count
        unsafe part.withUnsafeMutableBufferPointer { part in
            if let start = part.baseAddress { unsafe ck_softmax(start, count) }
        }
    }
}
