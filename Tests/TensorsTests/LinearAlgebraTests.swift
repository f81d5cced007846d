import Foundation
import AttentionProbes
@testable import Tensors
import TestSupport
import Testing

@Suite("Softmax, sums and LAPACK")
struct LinearAlgebraTests {
    private func softmax(_ logits: [Float]) -> [Float] {
        var weights = [Float](repeating: 0, count: logits.count)
        Tensors.softmax(logits[...], into: &weights)
        return weights
    }

    @Test func softmaxOfHugeLogits() {
        #expect(softmax([1e4, 1e4, -1e4]) == [0.5, 0.5, 0])
    }

    // Against the exponential of double precision, over all that a float's can be.
    @Test func exponentialsAreWithinTheStatedError() {
        for step in 0..<20_000 {
            let x = -Float(step) * 87.3 / 20_000
            // Sixteen zeros and the number: the largest is 0, and the sum is known.
            let values = softmax([Float](repeating: 0, count: 16) + [x])
            let expected = exp(Double(x)) / (16 + exp(Double(x)))
            #expect(abs(Double(values[16]) - expected) <= 2.5 * Double(Float(expected).ulp), "\(x)")
        }
    }

    // With a slope and a start, into the middle of other numbers; entropy against its definition.
    @Test(arguments: 1...35)
    func softmaxOfAnyLength(count: Int) {
        let logits = randomFloats(count, seed: 1, scale: 5)
        let exponentials = logits.enumerated().map { exp(Double($1) + 0.25 * (Double($0) - 7)) }
        let expected = exponentials.map { $0 / exponentials.reduce(0, +) }
        var weights = [Float](repeating: 9, count: count + 2)
        let entropy = Tensors.softmax(logits[...], slope: 0.25, start: -7, into: &weights, at: 1)
        #expect(relativeError(weights[1...count], expected.map { Float($0) }) < 3e-7)
        #expect(abs(entropy - expected.reduce(0) { $0 - $1 * log($1) }) < 1e-6)
        #expect(weights[0] == 9 && weights[count + 1] == 9)
    }

    @Test func entropyOfCertaintyAndOfNoIdea() {
        var weights = [Float](repeating: 0, count: 4)
        #expect(Tensors.softmax([0, 0, 0, 0], into: &weights) == log(4))
        #expect(Tensors.softmax([3e38, -3e38], into: &weights) == 0)
    }

    // Tiles of several sizes, with logits that rise far beyond the first tile's or fall far below, and values that
    // stay where they are or lie elsewhere in every tile, so that their center moves.
    @Test(arguments: [-3, 0, 0.1, 0.15, 0.5, 3, 30] as [Float], [0, 7, -40] as [Float])
    func runningSoftmax(slope: Float, jump: Float) {
        let sizes = [24, 1, 16, 37, 5, 24]
        let (n, width) = (sizes.reduce(0, +), 3)
        let (logits, around) = (randomFloats(n, seed: 1), randomFloats(n, seed: 2))
        let tiles = sizes.indices.flatMap { Array(repeating: Float($0), count: sizes[$0]) }
        let values = (0..<n).map { around[$0] + 100 + jump * tiles[$0] }
        let x = randomFloats(n * width, seed: 3)
        let first: Float = slope > 0 ? 106 : 0
        let positions = (0..<n).map(Float.init)
        var run = RunningSoftmax()
        var sums = [Float](repeating: 0, count: 2 * width)
        var start = 0
        for size in sizes {
            var z = Array(logits[start..<start + size] + values[start..<start + size])
            run.add(
                &z, logits: 0, values: size, slope: slope, positions: positions[start..<start + size],
                first: first)
            run.rescale(&sums, totals: 0, deviations: width, width: width)
            for (row, j, d) in (0..<2 * size * width).map({
                ($0 / width / size, $0 / width % size, $0 % width)
            }) {
                sums[row * width + d] += z[row * size + j] * x[(start + j) * width + d]
            }
            start += size
        }

        let l = (0..<n).map { Double(logits[$0]) + Double(slope) * Double(positions[$0] - first) }
        let largest = l.max()!
        let e = l.map { exp($0 - largest) }
        let total = e.reduce(0, +)
        func mean(_ y: (Int) -> Double) -> Double { (0..<n).reduce(0) { $0 + e[$1] * y($1) } / total }
        let value = mean { Double(values[$0]) }
        func close(_ found: Double, _ expected: Double, _ scale: Double) -> Bool {
            abs(found - expected) < 4e-6 * scale * Double(1 + abs(jump))
        }
        let deviation = run.values / run.total
        #expect(close(Double(run.center) + deviation, value, 100))
        #expect(close(run.positions / run.total, mean { Double(positions[$0] - first) }, Double(n)))
        let product = mean { (Double(values[$0]) - value) * Double(positions[$0] - first) }
        #expect(close((run.products - deviation * run.positions) / run.total, product, Double(n)))
        for d in 0..<width {
            let pooled = mean { Double(x[$0 * width + d]) }
            #expect(close(Double(sums[d]) / run.total, pooled, 3))
            let covered = mean { (Double(values[$0]) - value) * Double(x[$0 * width + d]) }
            #expect(close((Double(sums[width + d]) - deviation * Double(sums[d])) / run.total, covered, 10))
        }
    }

    // One late token has nearly all attention, and a value far from the others'.
    @Test(arguments: [0, 5, 9.5, 14] as [Float])
    func runningSoftmaxKeepsDigits(logit: Float) {
        let (size, tiles, late) = (24, 5, 100)
        let n = size * tiles
        var (logits, values, x) = (
            randomFloats(n, seed: 1, scale: 0.1), randomFloats(n, seed: 2), randomFloats(n, seed: 3)
        )
        (logits[late], values[late], x[late]) = (logit, 3000, 1)
        var run = RunningSoftmax()
        var sums: [Float] = [0, 0]
        for start in stride(from: 0, to: n, by: size) {
            var z = Array(logits[start..<start + size] + values[start..<start + size])
            run.add(
                &z, logits: 0, values: size, slope: 0, positions: [Float](repeating: 0, count: size)[...],
                first: 0)
            run.rescale(&sums, totals: 0, deviations: 1, width: 1)
            for j in 0..<size {
                sums[0] += z[j] * x[start + j]
                sums[1] += z[size + j] * x[start + j]
            }
        }
        let e = logits.map { exp(Double($0)) }
        let total = e.reduce(0, +)
        let mean = zip(e, values).reduce(0) { $0 + $1.0 * Double($1.1) } / total
        let expected =
            (0..<n).reduce(0.0) { $0 + e[$1] * (Double(values[$1]) - mean) * Double(x[$1]) } / total
        let found = (Double(sums[1]) - run.values / run.total * Double(sums[0])) / run.total
        #expect(abs(found - expected) < 2e-6 * abs(expected), "\(found) for \(expected)")
    }

    @Test func softmaxKeepsNaN() {
        #expect(softmax([1, .nan, 2]).allSatisfy { $0.isNaN })
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
        for position in 0..<131 {
            var values = [Float](repeating: 1, count: 131)
            #expect(allFinite(values[...]))
            values[position] = .infinity
            #expect(!allFinite(values[...]))
        }
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
