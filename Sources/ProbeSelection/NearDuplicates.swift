import Tensors
package import Activations

/// Pairs of sequences that are almost the same: where they land in different folds, validation sees what
/// training saw.
package struct NearDuplicates: Sendable, Equatable {
    /// How many sequences have an almost identical one among those looked at.
    package let sequences: Int
    /// One pair of them, by their numbers in the set.
    package let example: (first: Int, second: Int)

    /// Whether two are equal.
    package static func == (a: NearDuplicates, b: NearDuplicates) -> Bool {
        a.sequences == b.sequences && a.example == b.example
    }
}

extension ActivationSet {
    /// Sequences whose mean hidden states, less those of the set, point in the same direction (cosine of
    /// at least 0.99); nil without any. Of more than 4000 sequences as many, evenly spread, are looked
    /// at. O(T·D + N²·D).
    ///
    /// - Throws: `DataError` where a hidden state is not finite, or a file has become shorter.
    package func nearDuplicates(threads: Int = Parallel.availableThreads) throws -> NearDuplicates? {
        guard count > 1 else { return nil }
        let step = (count - 1) / 4000 + 1
        let chosen = Array(stride(from: 0, to: count, by: step))
        var states = try selecting(chosen).pooledStates(.mean, threads: threads)
        let rows = states.rows
        let mean = (0..<width).map { d in
            Float((0..<rows).reduce(0.0) { $0 + Double(states[$1, d]) } / Double(rows))
        }
        for row in 0..<rows {
            for d in 0..<width { states[row, d] -= mean[d] }
            let length = Float(dot(states[row: row], states[row: row]).squareRoot())
            guard length > 0 else { continue }
            for d in 0..<width { states[row, d] /= length }
        }
        var (alike, example): (Set<Int>, (Int, Int)?) = ([], nil)
        let block = 256
        for start in stride(from: 0, to: rows, by: block) {
            let size = min(block, rows - start)
            var cosines = Matrix(rows: size, columns: rows)
            let part = states.storage[start * width..<(start + size) * width]
            var out = cosines.mutableSpan
            BLAS.gemm(
                .no, .yes, m: size, n: rows, k: width, a: part.span, aStride: width, b: states.span,
                bStride: width, c: &out, cStride: rows)
            for i in 0..<size {
                for j in (start + i + 1)..<max(rows, start + i + 1) where cosines[i, j] >= 0.99 {
                    alike.formUnion([start + i, j])
                    example = example ?? (chosen[start + i], chosen[j])
                }
            }
        }
        return example.map { NearDuplicates(sequences: alike.count, example: $0) }
    }
}
