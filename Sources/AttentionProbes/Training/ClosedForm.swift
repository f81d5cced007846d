// Probes on mean-pooled states that are fitted in one step, for two classes with means μ₋ and μ₊:
//
//     mass-mean   w = μ₊ - μ₋           b = -w·(μ₊ + μ₋)/2                    (Marks and Tegmark, 2023)
//     lda         w = Σ⁻¹(μ₊ - μ₋)      b = -w·(μ₊ + μ₋)/2 + log(N₊/N₋)       (Fisher, 1936)
//
// Σ is the pooled covariance S within the classes, shrunk toward its diagonal: off the diagonal (1-λ)·S,
// with the λ that makes the expected squared error least (Ledoit and Wolf, 2004; Schäfer and Strimmer,
// 2005, for the diagonal as target):
//
//     λ = Σ_{i≠j} Var(s_ij) / Σ_{i≠j} s_ij²     Var(s_ij) = N/(N-1)³ · Σ_n (c_ni·c_nj - mean)²
//
// with c the states minus their class's mean; λ is kept within 0 and 1.
private import Foundation
import Tensors

/// A fit without an optimiser.
struct ClosedForm {
    let kind: ProbeKind

    /// The parameters of a linear probe on the mean: w and b.
    ///
    /// - Precondition: labels 0 and 1, both present.
    /// - Throws: `DataError` where a hidden state is not finite.
    func fit(_ data: ActivationSet, labels: [Int], threads: Int) throws -> [Float] {
        let width = data.width
        let pooled = try data.pooledStates(.mean, threads: threads)
        let means = (0...1).map { label in
            mean(pooled, data.indices.filter { labels[$0] == label })
        }
        var w = (0..<width).map { means[1][$0] - means[0][$0] }
        var b = 0.0
        if kind == .lda {
            var centred = pooled
            for index in data.indices {
                for d in 0..<width { centred[index, d] -= Float(means[labels[index]][d]) }
            }
            let covariance = shrunkCovariance(centred)
            guard covariance.allSatisfy(\.isFinite) else { throw data.nonFiniteError() }
            do {
                w = try solveSymmetric(covariance, order: width, w, columns: 1)
            } catch {
                throw DataError(
                    .overflow, data.files[0].path, expected: "states with a covariance that can be inverted",
                    found: "a singular one, of \(data.count) sequences and \(width) dimensions")
            }
            let positive = labels.reduce(0, +)
            b = log(Double(positive) / Double(labels.count - positive))
        }
        for d in 0..<width { b -= w[d] * (means[1][d] + means[0][d]) / 2 }
        return w.map { Float($0) } + [Float(b)]
    }

    private func mean(_ rows: Matrix, _ indices: [Int]) -> [Double] {
        (0..<rows.columns).map { d in
            indices.reduce(0.0) { $0 + Double(rows[$1, d]) } / Double(indices.count)
        }
    }

    /// Σ, D×D, of centred states, N×D. A dimension that does not vary gets the mean variance.
    func shrunkCovariance(_ centred: Matrix) -> [Double] {
        let (n, width) = (Double(centred.rows), centred.columns)
        let products = gram(centred)
        let squares = gram(
            Matrix(rows: centred.rows, columns: width, storage: centred.storage.map { $0 * $0 }))
        var covariance = products.map { Double($0) / (n - 1) }
        var (variances, total) = (0.0, 0.0)
        for i in 0..<width {
            for j in 0..<i {
                let mean = Double(products[i * width + j]) / n
                variances += n / pow(n - 1, 3) * (Double(squares[i * width + j]) - n * mean * mean)
                total += covariance[i * width + j] * covariance[i * width + j]
            }
        }
        let shrinkage = total > 0 ? min(1, max(0, variances / total)) : 1
        let typical = (0..<width).reduce(0.0) { $0 + covariance[$1 * width + $1] } / Double(width)
        for i in 0..<width {
            for j in 0..<width where i != j { covariance[i * width + j] *= 1 - shrinkage }
            if covariance[i * width + i] <= 1e-12 * typical {
                covariance[i * width + i] = max(typical, 1e-30)
            }
        }
        return covariance
    }

    // CᵀC, D×D.
    private func gram(_ c: Matrix) -> [Float] {
        var result = [Float](repeating: 0, count: c.columns * c.columns)
        BLAS.product(
            .yes, .no, m: c.columns, n: c.columns, k: c.rows, c.storage[...], c.storage[...], into: &result)
        return result
    }
}
