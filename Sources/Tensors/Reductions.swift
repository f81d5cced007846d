private import CKernels

/// Σ_i a_i·b_i, added in double precision. O(n).
///
/// - Precondition: as many elements in `a` as in `b`.
package func dot(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double { dot(a.span, b.span) }

/// The same of two spans.
///
/// - Precondition: as many elements in `a` as in `b`.
package func dot(_ a: Span<Float>, _ b: Span<Float>) -> Double {
    precondition(a.count == b.count, "lengths differ: \(a.count) and \(b.count)")
    var result = 0.0
    unsafe a.withUnsafeBufferPointer { x in
        unsafe b.withUnsafeBufferPointer { y in
            guard let x = x.baseAddress, let y = y.baseAddress else { return }
            unsafe ck_dot(x, y, a.count, &result)
        }
    }
    return result
}

/// Σ_i a_i, added in double precision. O(n).
package func sum(_ a: ArraySlice<Float>) -> Double {
    var sum = 0.0
    for a in a { sum += Double(a) }
    return sum
}

/// Whether every value is finite. O(n).
package func allFinite(_ values: ArraySlice<Float>) -> Bool { allFinite(values.span) }

/// Whether every value is finite. O(n).
package func allFinite(_ values: Span<Float>) -> Bool {
    StoredRows(values, columns: values.count).areFinite(1, columns: values.count)
}
