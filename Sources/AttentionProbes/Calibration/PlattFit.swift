private import Foundation

/// Slope a and intercept b of Platt's logistic curve p(y) = σ(a·y + b), by Newton's method with
/// backtracking (Lin, Lin and Weng, 2007) on the cross-entropy with smoothed targets: of N₊ positives
/// (N₊ + 1)/(N₊ + 2), of N₋ negatives 1/(N₋ + 2), so that separable outputs have a finite curve.
///
/// The optimum is that of scikit-learn's `CalibratedClassifierCV(method="sigmoid")`, which has a and b
/// with the opposite sign.
func plattFit(_ logits: [Float], _ isPositive: [Bool]) -> (slope: Double, intercept: Double) {
    let positives = Double(isPositive.count(where: \.self))
    let negatives = Double(isPositive.count) - positives
    let targets = isPositive.map { $0 ? (positives + 1) / (positives + 2) : 1 / (negatives + 2) }
    // Steps are alike in both directions where logits are about 1 in size.
    let scale = max(1e-12, logits.reduce(0.0) { max($0, abs(Double($1))) })
    let x = logits.map { Double($0) / scale }

    func loss(_ a: Double, _ b: Double) -> Double {
        zip(x, targets).reduce(0) { sum, point in
            let z = a * point.0 + b
            return sum + max(z, 0) - point.1 * z + log1p(exp(-abs(z)))
        }
    }
    var (a, b) = (0.0, log((positives + 1) / (negatives + 1)))
    var value = loss(a, b)
    for _ in 0..<100 {
        var (ga, gb, haa, hab, hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12)
        for (x, target) in zip(x, targets) {
            let z = a * x + b
            let p = z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z))
            let (d, w) = (p - target, p * (1 - p))
            ga += d * x
            gb += d
            haa += w * x * x
            hab += w * x
            hbb += w
        }
        if abs(ga) < 1e-10 * Double(x.count), abs(gb) < 1e-10 * Double(x.count) { break }
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
