private import CKernels

extension TokenSequence {
    /// sums[d] += Σ_j x_j[d] over the unmasked tokens j, in double precision: of a dimension that is the same in all,
    /// the sum divided by their number is that number. NaN and infinity stay. O(n·D).
    ///
    /// - Precondition: there are D sums.
    package func addSums(to sums: inout [Double], scratch: inout [Float]) {
        precondition(sums.count == width, "\(sums.count) sums of \(width) dimensions")
        forEachTile(scratch: &scratch) { range, tokens in
            unsafe tokens.withUnsafeBufferPointer { x in
                unsafe sums.withUnsafeMutableBufferPointer {
                    unsafe ck_add_sums(x.baseAddress!, range.count, width, $0.baseAddress!)
                }
            }
        }
    }

    /// largest[d] ← max(largest[d], max_j |x_j[d]|) over the unmasked tokens j. NaN and infinity stay. O(n·D).
    ///
    /// - Precondition: there are D magnitudes.
    package func raiseMagnitudes(_ largest: inout [Float], scratch: inout [Float]) {
        precondition(largest.count == width, "\(largest.count) magnitudes of \(width) dimensions")
        forEachTile(scratch: &scratch) { range, tokens in
            unsafe tokens.withUnsafeBufferPointer { x in
                unsafe largest.withUnsafeMutableBufferPointer {
                    unsafe ck_raise_magnitudes(x.baseAddress!, range.count, width, $0.baseAddress!)
                }
            }
        }
    }

    /// Whether no unmasked token has a NaN or infinity, looked at as they are stored. O(n·D), at the speed of memory.
    package func isFinite(scratch: inout [Float]) -> Bool {
        var result = true
        forEachStoredTile(rows: 1, scratch: &scratch) { range, tokens in
            result = result && tokens.areFinite(range.count, columns: width)
        }
        return result
    }
}
