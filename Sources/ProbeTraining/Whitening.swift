// Standardised dimensions z still go together: the first of 384 directions may have a thousand times the variance of the
// last, and an optimiser finds what lies along it first. Whitening (Kessy, Lewin and Strimmer, 2018, ZCA-cor) turns them
// into x' = Mᵀ·z, of which no two go together any more and each stays close to its own dimension:
//
//     M = (C + λ·I)^(-1/2)·S        C the correlations, D×D, λ = 0.3 of their mean variance, S such that x' has variance 1
//
// λ keeps directions of next to no variance, which are noise, from becoming as large as the others. A weight row w' on x'
// is M·w' on z, and ∂w' = Mᵀ·∂(M·w').
import Activations
import Tensors

struct Whitening: Sendable {
    /// M, row after row.
    private let matrix: [Float]
    private let width: Int

    /// What is added to each variance, of the mean of them, 1.
    private static let shrinkage: Float = 0.3
    /// Tokens that correlations are found from, at most, for each dimension; evenly spread.
    private static let tokensPerDimension = 32
    // Rows that are taken together.
    private static let tile = 512

    /// Of the unmasked tokens of a set, which `standardize` brings to mean 0 and variance 1; where sequences have weights,
    /// their tokens count by them. O(min(T, 32·D)·D² + D³).
    ///
    /// - Throws: `CancellationError` where it is interrupted.
    init(
        _ data: ActivationSet, isInterrupted: @Sendable () -> Bool,
        standardize: (inout MutableSpan<Float>) -> Void
    ) throws {
        width = data.width
        var correlations = try Self.correlations(data, isInterrupted, standardize)
        let own = correlations
        for d in 0..<width { correlations[d * width + d] += Self.shrinkage }
        var root = Self.inverseRoot(correlations, order: width)
        // The variance of each dimension of x' without S.
        let spread = Self.product(own, root, order: width)
        for d in 0..<width {
            var variance = Float(0)
            for i in 0..<width { variance += root[i * width + d] * spread[i * width + d] }
            let scale = variance > 0 ? 1 / variance.squareRoot() : 0
            for i in 0..<width { root[i * width + d] *= scale }
        }
        matrix = root
    }

    private static func correlations(
        _ data: ActivationSet, _ isInterrupted: () -> Bool, _ standardize: (inout MutableSpan<Float>) -> Void
    ) throws -> [Float] {
        let width = data.width
        let step = max(1, data.tokenCount / (tokensPerDimension * width))
        var (rows, scratch, sums) = ([Float](), [Float](), [Float](repeating: 0, count: width * width))
        var (seen, total) = (0, 0.0)
        func addTile() {
            guard !rows.isEmpty else { return }
            BLAS.product(
                .yes, .no, m: width, n: width, k: rows.count / width, rows[...], rows[...], beta: 1,
                into: &sums)
            rows.removeAll(keepingCapacity: true)
        }
        for index in data.indices {
            if isInterrupted() { throw CancellationError() }
            let (sequence, weight) = (data[index], data.weights.map { $0[index] } ?? 1)
            for j in 0..<sequence.count {
                defer { seen += 1 }
                guard seen % step == 0 else { continue }
                let start = rows.count
                sequence.withTokens(j..<j + 1, scratch: &scratch) { token in
                    for d in token.indices { rows.append(token[d]) }
                }
                rows.withPart(start..<rows.count) { standardize(&$0) }
                let root = weight.squareRoot()
                if weight != 1 { for i in start..<rows.count { rows[i] *= root } }
                total += Double(weight)
                if rows.count >= tile * width { addTile() }
            }
        }
        addTile()
        let scale = total > 0 ? Float(1 / total) : 0
        return sums.map { $0 * scale }
    }

    // A^(-1/2) of a symmetric positive definite A, by the coupled iteration of Newton and Schulz (Higham, 2008, "Functions of
    // Matrices", chapter 6): of B = A/c, no eigenvalue of which is above 1, Y → B^(1/2) and Z → B^(-1/2).
    private static func inverseRoot(_ a: [Float], order n: Int) -> [Float] {
        let norm = (0..<n).map { i in (0..<n).reduce(Float(0)) { $0 + abs(a[i * n + $1]) } }.max()!
        var y = a.map { $0 / norm }
        var z = identity(order: n)
        var rest = Float.infinity
        for _ in 0..<40 {
            // (3·I - Z·Y)/2, which becomes I.
            var step = product(z, y, order: n)
            var own = Float(0)
            for i in 0..<n {
                for j in 0..<n {
                    let unit: Float = i == j ? 1 : 0
                    own = max(own, abs(step[i * n + j] - unit))
                    step[i * n + j] = (3 * unit - step[i * n + j]) / 2
                }
            }
            // As near as floats come: from here on rounding decides.
            if own < 1e-4, own >= rest { break }
            rest = own
            y = product(y, step, order: n)
            z = product(step, z, order: n)
        }
        let root = norm.squareRoot()
        return z.map { $0 / root }
    }

    private static func identity(order n: Int) -> [Float] {
        (0..<n * n).map { $0 % (n + 1) == 0 ? 1 : 0 }
    }

    private static func product(_ a: [Float], _ b: [Float], order n: Int) -> [Float] {
        var c = [Float](repeating: 0, count: n * n)
        BLAS.product(.no, .no, m: n, n: n, k: n, a[...], b[...], into: &c)
        return c
    }

    /// Weight rows on z from those on x', in their place: M·w'.
    func fold(_ rows: inout [Float], in range: Range<Int>) { multiply(&rows, in: range, .yes) }

    /// The gradient by weight rows on x' from that by those on z, in its place: Mᵀ·∂w.
    func pullBack(_ rows: inout [Float], in range: Range<Int>) { multiply(&rows, in: range, .no) }

    /// States x' from z, in their place: rows z·M.
    func apply(_ states: inout Matrix) {
        var rows = states.storage
        multiply(&rows, in: rows.indices, .no)
        states = Matrix(rows: states.rows, columns: states.columns, storage: rows)
    }

    private func multiply(_ rows: inout [Float], in range: Range<Int>, _ transpose: BLAS.Transpose) {
        let own = Array(rows[range])
        BLAS.product(
            .no, transpose, m: range.count / width, n: width, k: width, own[...], matrix[...], into: &rows,
            at: range.lowerBound)
    }
}
