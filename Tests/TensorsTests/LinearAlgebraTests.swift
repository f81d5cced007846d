import Foundation
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

    // Against the exponential of double precision, over all that a float's can be.
    @Test func exponentialsAreWithinTheStatedError() {
        for step in 0..<20_000 {
            let x = -Float(step) * 87.3 / 20_000
            // Sixteen zeros and the number: the largest is 0, and the sum is known.
            var values = [Float](repeating: 0, count: 16) + [x]
            softmax(&values, 0..<17)
            let expected = exp(Double(x)) / (16 + exp(Double(x)))
            #expect(abs(Double(values[16]) - expected) <= 2.5 * Double(Float(expected).ulp), "\(x)")
        }
    }

    @Test(arguments: 1...35)
    func softmaxOfAnyLength(count: Int) {
        var values = randomFloats(count + 2, seed: 1, scale: 5)
        let exponentials = values[1...count].map { exp(Double($0)) }
        let sum = exponentials.reduce(0, +)
        let (first, last) = (values[0], values[count + 1])
        softmax(&values, 1..<count + 1)
        #expect(relativeError(values[1...count], exponentials.map { Float($0 / sum) }) < 3e-7)
        #expect(values[0] == first && values[count + 1] == last)
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
        let expected: [Double] = [1.0 / 3, 4.0 / 9, 10.0 / 3, 10.0 / 9]
        for (found, expected) in zip(x, expected) { #expect(abs(found - expected) < 1e-14) }
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
