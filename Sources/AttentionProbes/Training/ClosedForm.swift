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
// with c the states minus their class's mean; λ is kept within 0 and 1. Weights w_n of sequences count in
// every sum: N± are Σ w of a class, N is Σ w, and 1 becomes r = Σ w² / Σ w, so that, whatever their scale,
// uneven weights are worth fewer sequences (NumPy's `cov` with `aweights`; Schäfer and Strimmer's R package
// corpcor):
//
//     S = Σ_n w_n·c_n·c_nᵀ / (N-r)              Var(s_ij) = r·N/(N-r)³ · Σ_n w_n·(c_ni·c_nj - mean)²
private import Foundation
import Tensors

/// A fit without an optimiser.
struct ClosedForm {
    let kind: ProbeKind

    /// The parameters of a linear probe on the mean: w and b.
    ///
    /// - Parameter weights: how much each sequence counts; nil for all alike.
    /// - Precondition: labels 0 and 1, both present; weights, if any, positive.
    /// - Throws: `DataError` where a hidden state is not finite.
    func fit(_ data: ActivationSet, labels: [Int], weights: [Float]?, threads: Int) throws -> [Float] {
        let width = data.width
        let weights = weights?.map(Double.init) ?? Array(repeating: 1, count: data.count)
        let pooled = try data.pooledStates(.mean, threads: threads)
        let members = (0...1).map { label in data.indices.filter { labels[$0] == label } }
        let sizes = members.map { $0.reduce(0) { $0 + weights[$1] } }
        let means = (0...1).map { label in
            (0..<width).map { d in
                members[label].reduce(0) { $0 + weights[$1] * Double(pooled[$1, d]) } / sizes[label]
            }
        }
        var w = (0..<width).map { means[1][$0] - means[0][$0] }
        var b = 0.0
        if kind == .lda {
            var centred = pooled
            var variances = [Double](repeating: 0, count: width)
            let total = weights.reduce(0, +)
            for index in data.indices {
                for d in 0..<width {
                    let difference = Double(pooled[index, d]) - means[labels[index]][d]
                    centred[index, d] = Float(difference)
                    variances[d] += weights[index] * difference * difference / total
                }
            }
            // What rounding leaves of a dimension that does not vary within the classes tells nothing of them.
            for d in 0..<width {
                guard Standardization.deviation(variances[d], mean: means[0][d]) == 0 else { continue }
                for index in data.indices { centred[index, d] = 0 }
                if Standardization.deviation(w[d] * w[d], mean: means[0][d]) == 0 { w[d] = 0 }
            }
            let squares = weights.reduce(0) { $0 + $1 * $1 }
            // N - r, of which a covariance is a share.
            guard total * total - squares > 1e-9 * total * total else {
                throw DataError(
                    .labels, data.files[0].path, "tensor weights",
                    expected: "weights of several sequences that count for a covariance",
                    found: "one that outweighs all others")
            }
            let covariance = shrunkCovariance(centred, weights: weights)
            guard covariance.allSatisfy(\.isFinite) else { throw data.nonFiniteError() }
            do {
                w = try solveSymmetric(covariance, order: width, w, columns: 1)
            } catch {
                throw DataError(
                    .overflow, data.files[0].path, expected: "states with a covariance that can be inverted",
                    found: "a singular one, of \(data.count) sequences and \(width) dimensions")
            }
            b = log(sizes[1] / sizes[0])
        }
        for d in 0..<width { b -= w[d] * (means[1][d] + means[0][d]) / 2 }
        return w.map { Float($0) } + [Float(b)]
    }

    /// Σ, D×D, of centred states, N×D. A dimension that does not vary gets the mean variance.
    func shrunkCovariance(_ centred: Matrix, weights: [Double]) -> [Double] {
        let (n, width) = (weights.reduce(0, +), centred.columns)
        let r = weights.reduce(0) { $0 + $1 * $1 } / n
        // A product of two columns has each weight once.
        func weightedGram(_ value: (Float) -> Float) -> [Float] {
            var scaled = centred
            for row in 0..<centred.rows {
                let root = Float(weights[row].squareRoot())
                for d in 0..<width { scaled[row, d] = root * value(centred[row, d]) }
            }
            return gram(scaled)
        }
        let products = weightedGram(\.self)
        let squares = weightedGram { $0 * $0 }
        var covariance = products.map { Double($0) / (n - r) }
        var (variances, total) = (0.0, 0.0)
        for i in 0..<width {
            for j in 0..<i {
                let mean = Double(products[i * width + j]) / n
                variances += r * n / pow(n - r, 3) * (Double(squares[i * width + j]) - n * mean * mean)
                total += covariance[i * width + j] * covariance[i * width + j]
            }
        }
        let shrinkage = total > 0 ? min(1, max(0, variances / total)) : 1
        let typical = (0..<width).reduce(0.0) { $0 + covariance[$1 * width + $1] } / Double(width)
        for i in 0..<width {
            for j in 0..<width where i != j { covariance[i * width + j] *= 1 - shrinkage }
            if covariance[i * width + i] == 0 { covariance[i * width + i] = max(typical, 1e-30) }
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
