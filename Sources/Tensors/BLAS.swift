private import COpenBLAS

/// OpenBLAS, seen from Swift: one trivial wrapper a routine, sizes checked.
///
/// Its thread count is one for the whole process, set here at first use: parallelism is
/// `Parallel`'s, and a product has the same bits on any number of threads.
package enum BLAS {
    private static let configured: Void = openblas_set_num_threads(1)

    /// Ends the threads that OpenBLAS starts when it is loaded: they never get work here, and look for it
    /// for some 20 ms, which takes a processor away from whoever starts and ends quickly.
    ///
    /// For programs of which no other part uses OpenBLAS, at their start.
    package static func endIdleThreads() {
        _ = configured
        openblas_end_threads()
    }

    /// The processor kind OpenBLAS chose its kernels for ("Haswell", "SkylakeX", …).
    package static var coreName: String { unsafe String(cString: openblas_get_corename()) }

    /// OpenBLAS's version and build options.
    package static var configuration: String { unsafe String(cString: openblas_get_config()) }

    /// Whether an operand is read as it is stored or transposed.
    package enum Transpose: Sendable {
        /// As stored.
        case no
        /// Transposed.
        case yes

        fileprivate var value: CBLAS_TRANSPOSE { self == .no ? CblasNoTrans : CblasTrans }
    }

    /// C ← α·op(A)·op(B) + β·C in row-major storage, by `cblas_sgemm`.
    ///
    /// - Parameters:
    ///   - m: rows of op(A) and C.
    ///   - n: columns of op(B) and C.
    ///   - k: columns of op(A), rows of op(B).
    ///   - aStride: elements from one stored row of A to the next; likewise `bStride`, `cStride`.
    ///   - start: where C starts in its span.
    /// - Precondition: the spans hold the elements that the sizes and strides reach.
    package static func gemm(
        _ transposeA: Transpose, _ transposeB: Transpose, m: Int, n: Int, k: Int, alpha: Float = 1,
        a: Span<Float>, aStride: Int, b: Span<Float>, bStride: Int,
        beta: Float = 0, c: inout MutableSpan<Float>, at start: Int = 0, cStride: Int
    ) {
        _ = configured
        func reaches(_ count: Int, _ rows: Int, _ columns: Int, _ stride: Int) -> Bool {
            rows == 0 || columns == 0 || (stride >= columns && count >= (rows - 1) * stride + columns)
        }
        let (ar, ac) = transposeA == .no ? (m, k) : (k, m)
        let (br, bc) = transposeB == .no ? (k, n) : (n, k)
        precondition(reaches(a.count, ar, ac, aStride), "A is smaller than \(ar)×\(ac)")
        precondition(reaches(b.count, br, bc, bStride), "B is smaller than \(br)×\(bc)")
        precondition(start >= 0 && reaches(c.count - start, m, n, cStride), "C is smaller than \(m)×\(n)")
        guard m > 0, n > 0 else { return }
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                unsafe c.withUnsafeMutableBufferPointer { c in
                    unsafe cblas_sgemm(
                        CblasRowMajor, transposeA.value, transposeB.value,
                        Int32(m), Int32(n), Int32(k), alpha, a.baseAddress, Int32(aStride),
                        b.baseAddress, Int32(bStride), beta, c.baseAddress! + start, Int32(cStride))
                }
            }
        }
    }

    /// C ← op(A)·op(B) + β·C where no operand has gaps between rows; C starts at element `start`.
    ///
    /// - Precondition: the operands hold the elements that the sizes reach.
    package static func product(
        _ transposeA: Transpose, _ transposeB: Transpose, m: Int, n: Int, k: Int, _ a: ArraySlice<Float>,
        _ b: ArraySlice<Float>, beta: Float = 0, into c: inout [Float], at start: Int = 0
    ) {
        var out = c.mutableSpan
        gemm(
            transposeA, transposeB, m: m, n: n, k: k, a: a.span, aStride: transposeA == .no ? k : m,
            b: b.span, bStride: transposeB == .no ? n : k, beta: beta, c: &out, at: start, cStride: n)
    }

    /// y ← op(A)·x + β·y for a row-major rows×columns matrix A, by `cblas_sgemv`; y starts at
    /// element `start` of its array.
    ///
    /// - Precondition: A, x and y hold the elements that the sizes reach.
    package static func gemv(
        _ transpose: Transpose, rows: Int, columns: Int, a: ArraySlice<Float>, x: ArraySlice<Float>,
        beta: Float = 0, y: inout [Float], at start: Int = 0
    ) {
        _ = configured
        let (inputs, results) = transpose == .no ? (columns, rows) : (rows, columns)
        precondition(a.count >= rows * columns, "A is smaller than \(rows)×\(columns)")
        precondition(x.count >= inputs, "x is shorter than \(inputs)")
        precondition(start >= 0 && y.count - start >= results, "y is shorter than \(results)")
        guard rows > 0, columns > 0 else { return }
        unsafe a.withUnsafeBufferPointer { a in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe y.withUnsafeMutableBufferPointer { y in
                    unsafe cblas_sgemv(
                        CblasRowMajor, transpose.value, Int32(rows), Int32(columns), 1, a.baseAddress,
                        Int32(columns), x.baseAddress, 1, beta, y.baseAddress! + start, 1)
                }
            }
        }
    }

    /// Σ_i x_i·y_i in single precision, by `cblas_sdot`.
    ///
    /// - Precondition: as many elements in `x` as in `y`.
    package static func dot(_ x: ArraySlice<Float>, _ y: ArraySlice<Float>) -> Float {
        _ = configured
        precondition(x.count == y.count, "lengths differ: \(x.count) and \(y.count)")
        return unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeBufferPointer { y in
                unsafe cblas_sdot(Int32(x.count), x.baseAddress, 1, y.baseAddress, 1)
            }
        }
    }

    /// A ← A + x·yᵀ for a row-major matrix of x.count rows and y.count columns, by `cblas_sger`; A
    /// starts at element `start` of its array.
    ///
    /// - Precondition: A holds that many elements from `start` on.
    package static func ger(x: ArraySlice<Float>, y: ArraySlice<Float>, a: inout [Float], at start: Int = 0) {
        _ = configured
        precondition(
            start >= 0 && a.count - start >= x.count * y.count, "A is smaller than \(x.count)×\(y.count)")
        guard !x.isEmpty, !y.isEmpty else { return }
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeBufferPointer { y in
                unsafe a.withUnsafeMutableBufferPointer { a in
                    unsafe cblas_sger(
                        CblasRowMajor, Int32(x.count), Int32(y.count), 1, x.baseAddress, 1, y.baseAddress, 1,
                        a.baseAddress! + start, Int32(y.count))
                }
            }
        }
    }

    /// y ← α·x + β·y for two parts of one array, by `cblas_saxpby`.
    ///
    /// - Parameters:
    ///   - x: where x starts; likewise `y`.
    /// - Precondition: both parts lie inside the array and do not overlap.
    package static func axpby(
        _ alpha: Float, from x: Int, _ beta: Float, to y: Int, count: Int, in array: inout [Float]
    ) {
        _ = configured
        precondition(
            min(x, y) >= 0 && max(x, y) + count <= array.count && abs(x - y) >= count,
            "no two parts of \(count) elements")
        unsafe array.withUnsafeMutableBufferPointer { array in
            guard let start = array.baseAddress else { return }
            unsafe cblas_saxpby(Int32(count), alpha, start + x, 1, beta, start + y, 1)
        }
    }

    /// y ← α·x + y, by `cblas_saxpy`; y starts at element `start` of its array.
    ///
    /// - Precondition: y holds that many elements from `start` on.
    package static func axpy(_ alpha: Float, _ x: ArraySlice<Float>, y: inout [Float], at start: Int = 0) {
        _ = configured
        precondition(start >= 0 && y.count - start >= x.count, "y is shorter than \(x.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                guard let base = y.baseAddress else { return }
                unsafe cblas_saxpy(Int32(x.count), alpha, x.baseAddress, 1, base + start, 1)
            }
        }
    }
}
