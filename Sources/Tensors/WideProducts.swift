private import CKernels

extension Matrix {
    /// z[i, c] = x_i·w_c for some of the rows x_i and weight rows w_c, multiplied and added in double precision.
    ///
    /// - Parameters:
    ///   - weights: columns×D, row-major.
    ///   - z: becomes rows×columns, row-major.
    /// - Precondition: the rows are there, and `weights` holds as many elements.
    package func multiply(
        _ rows: Range<Int>, _ weights: ArraySlice<Double>, columns count: Int, into z: inout [Double]
    ) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows outside the matrix")
        precondition(weights.count == count * columns, "\(weights.count) weights for \(count)×\(columns)")
        if z.count != rows.count * count { z = Array(repeating: 0, count: rows.count * count) }
        guard !z.isEmpty, columns > 0 else { return }
        unsafe storage.withUnsafeBufferPointer { x in
            unsafe weights.withUnsafeBufferPointer { w in
                unsafe z.withUnsafeMutableBufferPointer {
                    unsafe ck_project_wide(
                        x.baseAddress! + rows.lowerBound * columns, rows.count, columns, w.baseAddress!,
                        count,
                        $0.baseAddress!)
                }
            }
        }
    }

    /// sums[c] += Σ_i a[i, c]·x_i for some of the rows x_i, in double precision: with a = ∂loss/∂z the gradient by
    /// the weights of `multiply`.
    ///
    /// - Parameters:
    ///   - a: rows×columns, row-major.
    ///   - sums: columns×D, row-major; it may be longer.
    /// - Precondition: the rows are there, and `a` and `sums` hold as many elements.
    package func addWeightedRows(
        _ rows: Range<Int>, _ a: [Double], columns count: Int, to sums: inout [Double]
    ) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows outside the matrix")
        precondition(a.count == rows.count * count, "\(a.count) weights for \(rows.count)×\(count)")
        precondition(sums.count >= count * columns, "\(sums.count) sums for \(count)×\(columns)")
        guard !a.isEmpty, columns > 0 else { return }
        unsafe storage.withUnsafeBufferPointer { x in
            unsafe a.withUnsafeBufferPointer { a in
                unsafe sums.withUnsafeMutableBufferPointer {
                    unsafe ck_add_wide(
                        a.baseAddress!, x.baseAddress! + rows.lowerBound * columns, rows.count, columns,
                        count,
                        $0.baseAddress!)
                }
            }
        }
    }
}
