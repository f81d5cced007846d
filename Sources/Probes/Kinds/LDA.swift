// Linear discriminant analysis on mean-pooled states, for two classes with means μ₋ and μ₊:
//
//     w = Σ⁻¹(μ₊ - μ₋)      b = -w·(μ₊ + μ₋)/2 + log(N₊/N₋)       (Fisher, 1936)
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
private import Glibc
import Tensors
import Activations

extension ProbeKind {
    /// Linear discriminant analysis on the mean of the tokens.
    public static let lda = ProbeKind("lda", pooling: .mean) { kind in
        // Two covariances as floats and two as doubles.
        kind.closedForm = ClosedForm(countsClassSizes: true, bytes: { 24 * $0 * $0 }, fit: LDA.fit)
        kind.grid = Grid(rank: 3) { $0.isBinary ? [.init()] : [] }
    }
}

enum LDA {
    @Sendable static func fit(_ states: ClassStates) throws -> [Float] {
        let (data, weights, means) = (states.data, states.weights, states.means)
        let width = data.width
        var w = states.difference
        var centred = states.pooled
        var variances = [Double](repeating: 0, count: width)
        let total = weights.reduce(0, +)
        for index in data.indices {
            for d in 0..<width {
                let difference = Double(states.pooled[index, d]) - means[states.labels[index]][d]
                centred[index, d] = Float(difference)
                variances[d] += weights[index] * difference * difference / total
            }
        }
        // What rounding leaves of a dimension that does not vary within the classes tells nothing of them.
        for d in 0..<width {
            guard deviation(variances[d], mean: means[0][d]) == 0 else { continue }
            for index in data.indices { centred[index, d] = 0 }
            if deviation(w[d] * w[d], mean: means[0][d]) == 0 { w[d] = 0 }
        }
        let squares = weights.reduce(0) { $0 + $1 * $1 }
        // N - r, of which a covariance is a fraction.
        guard total * total - squares > 1e-9 * total * total else {
            throw DataError(
                .labels, data.files[0].path, "tensor weights",
                expected: "weights of several sequences that count for a covariance",
                found: "one that outweighs all others")
        }
        let covariance = shrunkCovariance(centred, weights: weights)
        guard covariance.allSatisfy(\.isFinite) else { throw data.nonFiniteError(summedIn: "float32") }
        do {
            w = try solveSymmetric(covariance, order: width, w, columns: 1)
        } catch {
            throw DataError(
                .overflow, data.files[0].path, expected: "states with a covariance that can be inverted",
                found: "a singular one, of \(data.count) sequences and \(width) dimensions")
        }
        return states.parameters(weights: w, bias: log(states.sizes[1] / states.sizes[0]))
    }

    /// Σ, D×D, of centred states, N×D. A dimension that does not vary gets the mean variance.
    static func shrunkCovariance(_ centred: Matrix, weights: [Double]) -> [Double] {
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
    private static func gram(_ c: Matrix) -> [Float] {
        var result = [Float](repeating: 0, count: c.columns * c.columns)
        BLAS.product(
            .yes, .no, m: c.columns, n: c.columns, k: c.rows, c.storage[...], c.storage[...], into: &result)
        return result
    }
}
