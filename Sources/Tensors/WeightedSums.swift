private import CKernels

extension TokenSequence {
    /// sums[r] += Σ_j a[r, j]·x_j over the visible tokens j: weighted sums of tokens, and with
    /// a = ∂loss/∂z the gradient of the weights of a `Projection`.
    ///
    /// A C kernel where it beats OpenBLAS (few rows, AVX2 or AVX-512), else `cblas_sgemm` a tile.
    ///
    /// - Parameters:
    ///   - a: R×n, row-major; it may be longer.
    ///   - sums: R×D, row-major; it may be longer.
    ///   - usesGemm: nil for the faster way.
    public func addWeightedSums(
        _ a: [Float], rows: Int, to sums: inout [Float], scratch: inout [Float], usesGemm: Bool? = nil
    ) {
        precondition(a.count >= rows * count, "\(a.count) weights for \(rows)×\(count)")
        precondition(sums.count >= rows * width, "\(sums.count) sums for \(rows)×\(width)")
        guard rows > 0 else { return }
        let (count, width) = (count, width)
        // For many rows packing the tokens pays.
        let usesGemm = usesGemm ?? !(ck_has_fast_kernels() && rows <= 64)
        forEachTile(scratch: &scratch) { range, tokens in
            var out = sums.mutableSpan
            let weights = a.span.extracting(droppingFirst: range.lowerBound)
            if usesGemm {
                BLAS.gemm(
                    .no, .no, m: rows, n: width, k: range.count, a: weights, aStride: count,
                    b: tokens, bStride: width, beta: 1, c: &out, cStride: width)
                return
            }
            unsafe weights.withUnsafeBufferPointer { a in
                unsafe tokens.withUnsafeBufferPointer { x in
                    unsafe out.withUnsafeMutableBufferPointer { sums in
                        unsafe ck_add_weighted_sums(
                            a.baseAddress!, count, rows, x.baseAddress!, range.count, width, sums.baseAddress!
                        )
                    }
                }
            }
        }
    }
}
