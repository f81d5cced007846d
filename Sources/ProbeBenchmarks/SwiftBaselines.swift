// The forward pass of an attention probe with one output in other ways: two in pure Swift, without a
// line of C, and one with a single tall `cblas_sgemm`. Each returns one output a sequence. The first
// H of the 2H products of a token are logits, the others values.
import AttentionProbes
import Foundation

struct SwiftBaselines {
    private let work: Workload
    private let threads: Int
    private let vectors: [SIMD16<Float>]
    private let weightVectors: [SIMD16<Float>]
    private let biases: [Float]
    private let positions: [Float]

    /// - Precondition: one output, and a width that is a multiple of 16.
    init(_ work: Workload, threads: Int) {
        precondition(work.outputs == 1 && work.width % 16 == 0)
        self.work = work
        self.threads = threads
        func vectors(_ values: ArraySlice<Float>) -> [SIMD16<Float>] {
            stride(from: values.startIndex, to: values.endIndex, by: 16).map { SIMD16(values[$0..<$0 + 16]) }
        }
        self.vectors = vectors(work.tokens[...])
        weightVectors = vectors(work.weights)
        biases = work.probe.tensor("v.bias")!
        positions = work.probe.tensor("position_weight")!
    }

    private var rows: Int { 2 * work.heads }

    func plain() throws -> [Float] { try bySequence(plainProducts) }

    func simd() throws -> [Float] { try bySequence(simdProducts) }

    // z, n×2H token by token, of one sequence after the other.
    private func bySequence(_ products: @Sendable (Range<Int>, inout [Float]) -> Void) throws -> [Float] {
        try Parallel.map(count: work.batch.count, threads: threads, workspace: { [Float]() }) { index, z in
            let tokens = work.batch.offsets[index]..<work.batch.offsets[index + 1]
            z.grow(to: tokens.count * rows)
            products(tokens, &z)
            return pooled(z[..<(tokens.count * rows)])
        }
    }

    private func plainProducts(_ tokens: Range<Int>, _ z: inout [Float]) {
        let (x, w, width) = (work.tokens.span, work.weights.span, work.width)
        for (j, t) in tokens.enumerated() {
            for r in 0..<rows {
                var sum: Float = 0
                for d in 0..<width { sum += x[t * width + d] * w[r * width + d] }
                z[j * rows + r] = sum
            }
        }
    }

    // Four tokens against one weight row at a time, so that a weight is loaded once for four.
    private func simdProducts(_ tokens: Range<Int>, _ z: inout [Float]) {
        let (x, w, columns) = (vectors.span, weightVectors.span, work.width / 16)
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
    func tall() throws -> [Float] {
        let (count, width) = (work.tokenCount, work.width)
        let parts = try Parallel.map(count: threads, threads: threads) { part in
            let range = part * count / threads..<(part + 1) * count / threads
            var z = [Float](repeating: 0, count: range.count * rows)
            var out = z.mutableSpan
            BLAS.gemm(
                .no, .yes, m: range.count, n: rows, k: width,
                a: work.tokens.span.extracting(range.lowerBound * width..<range.upperBound * width),
                aStride: width, b: work.weights.span, bStride: width, c: &out, cStride: rows)
            return z
        }
        let z = Array(parts.joined())
        return try Parallel.map(count: work.batch.count, threads: threads) { index in
            pooled(z[work.batch.offsets[index] * rows..<work.batch.offsets[index + 1] * rows])
        }
    }

    // Positions, softmax over tokens and the weighted sum of values.
    private func pooled(_ z: ArraySlice<Float>) -> Float {
        let n = z.count / rows
        var output: Float = 0
        for h in 0..<work.heads {
            func logit(_ j: Int) -> Float {
                z[z.startIndex + j * rows + h] + positions[h] * Float(j - (n - 1))
            }
            var largest = -Float.infinity
            for j in 0..<n { largest = max(largest, logit(j)) }
            var (sum, weighted): (Float, Float) = (0, 0)
            for j in 0..<n {
                let e = exp(logit(j) - largest)
                sum += e
                weighted += e * (z[z.startIndex + j * rows + work.heads + h] + biases[h])
            }
            output += weighted / sum
        }
        return output
    }
}
