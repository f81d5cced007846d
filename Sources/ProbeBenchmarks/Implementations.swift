// The same forward pass, written four ways. Each returns one output a sequence. The first H of the
// 2H products of a token are logits, the others values.
import AttentionProbes
import Foundation
import Tensors

enum Implementation: String, CaseIterable {
    case ours = "AttentionProbes"
    case tall = "one tall sgemm"
    case simd = "Swift SIMD16"
    case plain = "Swift loops"

    func run(_ work: Workload, threads: Int) throws -> [Float] {
        switch self {
        case .ours: try work.probe.scores(work.batch, threads: threads).logits.storage
        case .tall: try work.tallProduct(threads: threads)
        case .simd: try work.bySequence(threads: threads) { work.simdProducts($0, &$1) }
        case .plain: try work.bySequence(threads: threads) { work.plainProducts($0, &$1) }
        }
    }
}

extension Workload {
    private var rows: Int { 2 * heads }

    // z, n×2H token by token, of one sequence after the other.
    fileprivate func bySequence(
        threads: Int, _ products: @Sendable (Range<Int>, inout [Float]) -> Void
    ) throws -> [Float] {
        try Parallel.map(count: offsets.count - 1, threads: threads, workspace: { [Float]() }) { index, z in
            let tokens = offsets[index]..<offsets[index + 1]
            z.grow(to: tokens.count * rows)
            products(tokens, &z)
            return pooled(z[..<(tokens.count * rows)])
        }
    }

    fileprivate func plainProducts(_ tokens: Range<Int>, _ z: inout [Float]) {
        let (x, w) = (self.tokens.span, weights.span)
        for (j, t) in tokens.enumerated() {
            for r in 0..<rows {
                var sum: Float = 0
                for d in 0..<width { sum += x[t * width + d] * w[r * width + d] }
                z[j * rows + r] = sum
            }
        }
    }

    // Four tokens against one weight row at a time, so that a weight is loaded once for four.
    fileprivate func simdProducts(_ tokens: Range<Int>, _ z: inout [Float]) {
        let (x, w, columns) = (vectors.span, weightVectors.span, width / 16)
        for start in stride(from: 0, to: tokens.count, by: 4) {
            let count = min(4, tokens.count - start)
            let row = (tokens.lowerBound + start) * columns
            for r in 0..<rows {
                var (a, b, c, d) = (SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>())
                if count == 4 {
                    for k in 0..<columns {
                        let weight = w[r * columns + k]
                        a += x[row + k] * weight
                        b += x[row + columns + k] * weight
                        c += x[row + 2 * columns + k] * weight
                        d += x[row + 3 * columns + k] * weight
                    }
                    z[(start + 1) * rows + r] = b.sum()
                    z[(start + 2) * rows + r] = c.sum()
                    z[(start + 3) * rows + r] = d.sum()
                    z[start * rows + r] = a.sum()
                } else {
                    for j in 0..<count {
                        a = SIMD16()
                        for k in 0..<columns { a += x[row + j * columns + k] * w[r * columns + k] }
                        z[(start + j) * rows + r] = a.sum()
                    }
                }
            }
        }
    }

    // The whole T×2H product by one call a thread, then the sequences.
    fileprivate func tallProduct(threads: Int) throws -> [Float] {
        let count = tokenCount
        let parts = try Parallel.map(count: threads, threads: threads) { part in
            let range = part * count / threads..<(part + 1) * count / threads
            var z = [Float](repeating: 0, count: range.count * rows)
            var out = z.mutableSpan
            BLAS.gemm(
                .no, .yes, m: range.count, n: rows, k: width,
                a: tokens.span.extracting(range.lowerBound * width..<range.upperBound * width),
                aStride: width,
                b: weights.span, bStride: width, c: &out, cStride: rows)
            return z
        }
        let z = Array(parts.joined())
        return try Parallel.map(count: offsets.count - 1, threads: threads) { index in
            pooled(z[offsets[index] * rows..<offsets[index + 1] * rows])
        }
    }

    // Positions, softmax over tokens and the weighted sum of values.
    private func pooled(_ z: ArraySlice<Float>) -> Float {
        let n = z.count / rows
        let biases = probe.tensor("v.bias")!
        let positions = probe.tensor("position_weight")!
        var output: Float = 0
        for h in 0..<heads {
            let logits = (0..<n).map { z[z.startIndex + $0 * rows + h] + positions[h] * Float($0 - (n - 1)) }
            var weights = logits
            softmax(logits[...], into: &weights)
            for j in 0..<n { output += weights[j] * (z[z.startIndex + j * rows + heads + h] + biases[h]) }
        }
        return output
    }
}
