private import COpenBLAS

/// Why a symmetric system could not be solved.
package struct NotPositiveDefinite: Error, Equatable, CustomStringConvertible {
    /// Order of the leading minor that is not positive, counted from 1.
    package let minor: Int

    /// Says which leading minor is not positive.
    package var description: String {
        "the matrix is not positive definite: its leading minor of order \(minor) is not positive"
    }
}

/// Solves A·X = B for a symmetric positive definite A, by Cholesky factorisation.
///
/// The routine is LAPACK's `dposv` (through `LAPACKE_dposv`), in double precision: A = L·Lᵀ, then
/// two triangular solves. O(n³/3 + n²·columns).
///
/// - Parameters:
///   - a: n×n, row after row; only the lower triangle is read.
///   - b: n×columns, row after row.
/// - Returns: X, n×columns, row after row.
/// - Throws: `NotPositiveDefinite`.
package func solveSymmetric(
    _ a: [Double], order n: Int, _ b: [Double], columns: Int
) throws(NotPositiveDefinite) -> [Double] {
    precondition(a.count == n * n, "A has \(n * n) elements, found \(a.count)")
    precondition(b.count == n * columns, "B has \(n * columns) elements, found \(b.count)")
    guard n > 0, columns > 0 else { return b }
    var factor = a
    var solution = b
    let status = unsafe LAPACKE_dposv(
        LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "L")), Int32(n), Int32(columns), &factor, Int32(n), &solution,
        Int32(columns))
    guard status <= 0 else { throw NotPositiveDefinite(minor: Int(status)) }
    precondition(status == 0, "argument \(-status) of LAPACKE_dposv")
    return solution
}
