@testable import Tensors
import TestSupport
import Testing

@Suite("Softmax, sums and LAPACK")
struct LinearAlgebraTests {
    @Test func softmaxOfHugeLogits() {
        var values: [Float] = [9, 1e4, 1e4, -1e4, 7]
        softmax(&values, 1..<4)
        #expect(values == [9, 0.5, 0.5, 0, 7])
    }

    @Test func softmaxKeepsNaN() {
        var values: [Float] = [1, .nan, 2]
        softmax(&values, 0..<3)
        #expect(values.allSatisfy { $0.isNaN })
    }

    @Test func sumsAreOfDoublePrecision() {
        // In floats the small terms would vanish beside the first.
        let values = [Float(1 << 24)] + [Float](repeating: 1, count: 1000)
        #expect(sum(values[...]) == Double(1 << 24) + 1000)
        #expect(dot(values[...], [Float](repeating: 1, count: 1001)[...]) == Double(1 << 24) + 1000)
    }

    @Test func finite() {
        #expect(allFinite([1, -2, .greatestFiniteMagnitude]))
        #expect(!allFinite([1, .nan]) && !allFinite([.infinity]) && !allFinite([-.infinity]))
    }

    @Test func choleskySolves() throws {
        // A = L·Lᵀ with L = [[2,0],[1,3]]; the upper triangle is not read.
        let x = try solveSymmetric([4, .nan, 2, 10], order: 2, [8, 4, 34, 12], columns: 2)
        #expect(zip(x, [1.0 / 3, 4.0 / 9, 10.0 / 3, 10.0 / 9]).allSatisfy { abs($0 - $1) < 1e-14 })
    }

    @Test func choleskyNamesTheMinor() {
        #expect(throws: NotPositiveDefinite(minor: 2)) {
            try solveSymmetric([1, 0, 2, 1], order: 2, [1, 1], columns: 1)
        }
    }

    @Test func gemvBothWays() {
        let a: [Float] = [1, 2, 3, 4, 5, 6]
        var y: [Float] = [10, 20, 30]
        BLAS.gemv(.no, rows: 2, columns: 3, a: a[...], x: [1, 0, -1], beta: 1, y: &y, at: 1)
        #expect(y == [10, 18, 28])
        BLAS.gemv(.yes, rows: 2, columns: 3, a: a[...], x: [1, 1], y: &y)
        #expect(y == [5, 7, 9])
    }

    @Test func outerProduct() {
        var a: [Float] = [100, 1, 1, 1, 1]
        BLAS.ger(x: [1, 2], y: [3, 4], a: &a, at: 1)
        #expect(a == [100, 4, 5, 7, 9])
    }
}
