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

    /// Gives an array the D means of the unmasked tokens, (1/n) Σ_j x_j, added up in double precision. O(n·D).
    ///
    /// - Parameter sums: grows to D numbers, which mean nothing afterwards.
    package func copyMeans(into means: inout [Float], sums: inout [Double], scratch: inout [Float]) {
        let n = count
        guard n > 1 else { return copyToken(0, into: &means, scratch: &scratch) }
        if sums.count != width { sums = Array(repeating: 0, count: width) }
        var zeros = sums.mutableSpan
        for d in 0..<width { zeros[d] = 0 }
        addSums(to: &sums, scratch: &scratch)
        means.resize(to: width)
        let all = sums.span
        var copy = means.mutableSpan
        for d in 0..<width { copy[d] = Float(all[d] / Double(n)) }
    }

    /// Gives an array the D numbers of an unmasked token.
    ///
    /// - Precondition: the token is there.
    package func copyToken(_ index: Int, into token: inout [Float], scratch: inout [Float]) {
        token.resize(to: width)
        withTokens(index..<index + 1, scratch: &scratch) { numbers in
            var copy = token.mutableSpan
            for d in 0..<width { copy[d] = numbers[d] }
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
