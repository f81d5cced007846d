private import Glibc

/// Slope a and intercept b of Platt's logistic curve p(y) = σ(a·y + b), by Newton's method with
/// backtracking (Lin, Lin and Weng, 2007) on the weighted cross-entropy with smoothed targets: of
/// positives whose weights add up to N₊ (N₊ + 1)/(N₊ + 2), of negatives likewise 1/(N₋ + 2), so that
/// separable outputs have a finite curve. An outcome y between counts as y of a positive and 1 - y of a negative.
///
/// The optimum is that of scikit-learn's `CalibratedClassifierCV(method="sigmoid")`, which has a and b
/// with the opposite sign.
func plattFit(
    _ logits: [Float], _ outcomes: [Double], weights: [Double]
) -> (slope: Double, intercept: Double) {
    let total = weights.reduce(0, +)
    let positives = zip(weights, outcomes).reduce(0) { $0 + $1.0 * $1.1 }
    let negatives = total - positives
    let (high, low) = ((positives + 1) / (positives + 2), 1 / (negatives + 2))
    let targets = outcomes.map { $0 * high + (1 - $0) * low }
    // Steps are alike in both directions where logits are about 1 in size.
    let scale = max(1e-12, logits.reduce(0.0) { max($0, abs(Double($1))) })
    let x = logits.map { Double($0) / scale }

    func loss(_ a: Double, _ b: Double) -> Double {
        x.indices.reduce(0) { sum, i in
            let z = a * x[i] + b
            return sum + weights[i] * (max(z, 0) - targets[i] * z + log1p(exp(-abs(z))))
        }
    }
    var (a, b) = (0.0, log((positives + 1) / (negatives + 1)))
    var value = loss(a, b)
    for _ in 0..<100 {
        var (ga, gb, haa, hab, hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12)
        for i in x.indices {
            let (x, weight) = (x[i], weights[i])
            let z = a * x + b
            let p = z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z))
            let (d, w) = (weight * (p - targets[i]), weight * p * (1 - p))
            ga += d * x
            gb += d
            haa += w * x * x
            hab += w * x
            hbb += w
        }
        if abs(ga) < 1e-10 * total, abs(gb) < 1e-10 * total { break }
        let determinant = haa * hbb - hab * hab
        let (da, db) = (-(hbb * ga - hab * gb) / determinant, -(haa * gb - hab * ga) / determinant)
        var step = 1.0
        while step > 1e-10 {
            let next = loss(a + step * da, b + step * db)
            if next < value + 1e-4 * step * (ga * da + gb * db) {
                (a, b, value) = (a + step * da, b + step * db, next)
                break
            }
            step /= 2
        }
        if step <= 1e-10 { break }
    }
    return (a / scale, b)
}
