private import CKernels

extension TokenSequence {
    /// sums[r] += Σ_j a[r, j]·x_j over the unmasked tokens j: weighted sums of tokens, and with
    /// a = ∂loss/∂z the gradient of the weights of a `Projection`.
    ///
    /// A C kernel where the processor has AVX2, AVX-512 or NEON, else `cblas_sgemm` a tile.
    ///
    /// - Parameters:
    ///   - a: R×n, row-major; it may be longer.
    ///   - sums: R×D, row-major; it may be longer.
    ///   - usesGemm: nil for the faster way.
    package func addWeightedSums(
        _ a: [Float], rows: Int, to sums: inout [Float], scratch: inout [Float], usesGemm: Bool? = nil
    ) {
        precondition(a.count >= rows * count, "\(a.count) weights for \(rows)×\(count)")
        precondition(sums.count >= rows * width, "\(sums.count) sums for \(rows)×\(width)")
        forEachTile(rows: rows, scratch: &scratch) { range, tokens in
            addWeightedSums(
                of: tokens, count: range.count, a, at: range.lowerBound, stride: count, rows: rows, to: &sums,
                usesGemm: usesGemm)
        }
    }

    /// The same with the sums of parts of `part` tokens added up in double precision, as for weights of either sign whose
    /// terms take each other away.
    ///
    /// - Parameter sums: R×D numbers at least; what was in them counts for nothing.
    package func weightedSums(
        _ a: [Float], rows: Int, into sums: inout [Float], scratch: inout [Float], part: Int = 24
    ) {
        let size = rows * width
        precondition(a.count >= rows * count && sums.count >= size, "fewer numbers than \(rows)×\(width)")
        var totals = [Double](repeating: 0, count: size)
        for start in stride(from: 0, to: count, by: part) {
            let range = start..<min(start + part, count)
            for i in 0..<size { sums[i] = 0 }
            withTokens(range, scratch: &scratch) { tokens in
                addWeightedSums(
                    of: tokens, count: range.count, a, at: start, stride: count, rows: rows, to: &sums)
            }
            for i in 0..<size { totals[i] += Double(sums[i]) }
        }
        for i in 0..<size { sums[i] = Float(totals[i]) }
    }

    /// The same for one tile of tokens, count×D.
    ///
    /// - Parameters:
    ///   - a: R×count from element `start` on, rows `stride` apart.
    ///   - sums: R×D from element `sumsStart` on, rows `sumsStride` apart.
    package func addWeightedSums(
        of tile: Span<Float>, count: Int, _ a: [Float], at start: Int = 0, stride: Int,
        rows: Int, to sums: inout [Float], sumsStart: Int = 0, sumsStride: Int? = nil,
        usesGemm: Bool? = nil
    ) {
        var out = sums.mutableSpan
        Tensors.addWeightedSums(
            of: tile, stride: width, count: count, width: width, a.span.extracting(droppingFirst: start),
            stride: stride, rows: rows, to: &out, at: sumsStart, stride: sumsStride ?? width,
            usesGemm: usesGemm)
    }

    /// A distance between rows of sums with which their like columns fall into different sets of the
    /// first-level cache, also where D is a power of two: three lines more than a multiple of eight.
    package var sumsStride: Int {
        let lines = (width + 15) / 16
        return 16 * (lines + (11 - lines % 8) % 8)
    }
}

// Rows of x that meet all rows of a before the next: their like columns stay in the first-level cache, or are copied to it.
private let rowsTogether = 128

/// sums[r, d] += Σ_j a[r, j]·x[j, d], the product of R×n weights with n×D rows.
///
/// A C kernel where the processor has AVX2, AVX-512 or NEON, else `cblas_sgemm`.
///
/// - Parameters:
///   - x: n×D, rows `xStride` apart.
///   - a: R×n, rows `aStride` apart.
///   - sums: R×D from element `start` on, rows `sumsStride` apart.
///   - usesGemm: nil for the faster way.
/// - Precondition: no row reaches into the next, and all lie inside what they are part of.
package func addWeightedSums(
    of x: Span<Float>, stride xStride: Int, count: Int, width: Int, _ a: Span<Float>, stride aStride: Int,
    rows: Int,
    to sums: inout MutableSpan<Float>, at start: Int = 0, stride sumsStride: Int, usesGemm: Bool? = nil
) {
    guard rows > 0, count > 0 else { return }
    precondition(
        xStride >= width && aStride >= count && sumsStride >= width,
        "rows of \(width), \(count) and \(width) numbers, \(xStride), \(aStride) and \(sumsStride) apart")
    precondition(x.count >= (count - 1) * xStride + width, "\(x.count) numbers for \(count)×\(width)")
    precondition(a.count >= (rows - 1) * aStride + count, "\(a.count) weights for \(rows)×\(count)")
    precondition(
        start >= 0 && sums.count >= start + (rows - 1) * sumsStride + width,
        "\(sums.count) sums for \(rows)×\(width)")
    if usesGemm ?? !ck_has_fast_kernels() {
        BLAS.gemm(
            .no, .no, m: rows, n: width, k: count, a: a, aStride: aStride, b: x, bStride: xStride, beta: 1,
            c: &sums,
            at: start, cStride: sumsStride)
        return
    }
    unsafe a.withUnsafeBufferPointer { a in
        unsafe x.withUnsafeBufferPointer { x in
            unsafe sums.withUnsafeMutableBufferPointer { sums in
                for first in Swift.stride(from: 0, to: count, by: rowsTogether) {
                    unsafe ck_add_weighted_sums(
                        a.baseAddress! + first, aStride, rows, x.baseAddress! + first * xStride, xStride,
                        min(rowsTogether, count - first), width, sums.baseAddress! + start, sumsStride)
                }
            }
        }
    }
}
