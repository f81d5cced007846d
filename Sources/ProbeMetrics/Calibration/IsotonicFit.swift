/// The non-decreasing function of the logit with the least weighted squared error to the outcomes, 1, 0 or a
/// probability, by pooling adjacent violators (Ayer et al., 1955): its knots, the first and last logit of every
/// level, as scikit-learn's `IsotonicRegression` keeps them. Equal logits are one point, their mean.
/// O(n log n).
func isotonicFit(
    _ logits: [Float], _ outcomes: [Double], weights: [Double]
) -> (logits: [Float], probabilities: [Double]) {
    struct Level {
        var first, last: Float
        var sum, weight: Double
        var mean: Double { sum / weight }
    }
    var levels: [Level] = []
    for index in logits.indices.sorted(by: { logits[$0] < logits[$1] }) {
        let (x, y) = (logits[index], outcomes[index] * weights[index])
        if let last = levels.indices.last, levels[last].last == x, levels[last].first == x {
            levels[last].sum += y
            levels[last].weight += weights[index]
        } else {
            levels.append(Level(first: x, last: x, sum: y, weight: weights[index]))
        }
    }
    var pooled: [Level] = []
    for level in levels {
        var level = level
        while let before = pooled.last, before.mean >= level.mean {
            pooled.removeLast()
            level = Level(
                first: before.first, last: level.last, sum: before.sum + level.sum,
                weight: before.weight + level.weight)
        }
        pooled.append(level)
    }
    let ends = pooled.flatMap { level in
        level.first == level.last
            ? [(level.first, level.mean)] : [(level.first, level.mean), (level.last, level.mean)]
    }
    return (ends.map(\.0), ends.map(\.1))
}
