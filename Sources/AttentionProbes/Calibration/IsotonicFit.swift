/// The non-decreasing function of the logit with the least squared error to the outcomes, 1 and 0, by
/// pooling adjacent violators (Ayer et al., 1955): its knots, the first and last logit of every level,
/// as scikit-learn's `IsotonicRegression` keeps them. Equal logits are one point, their mean. O(n log n).
func isotonicFit(_ logits: [Float], _ isPositive: [Bool]) -> (logits: [Float], probabilities: [Double]) {
    struct Level {
        var first, last: Float
        var sum, count: Double
        var mean: Double { sum / count }
    }
    var levels: [Level] = []
    for index in logits.indices.sorted(by: { logits[$0] < logits[$1] }) {
        let (x, y) = (logits[index], isPositive[index] ? 1.0 : 0)
        if let last = levels.indices.last, levels[last].last == x, levels[last].first == x {
            levels[last].sum += y
            levels[last].count += 1
        } else {
            levels.append(Level(first: x, last: x, sum: y, count: 1))
        }
    }
    var pooled: [Level] = []
    for level in levels {
        var level = level
        while let before = pooled.last, before.mean >= level.mean {
            pooled.removeLast()
            level = Level(
                first: before.first, last: level.last, sum: before.sum + level.sum,
                count: before.count + level.count)
        }
        pooled.append(level)
    }
    let ends = pooled.flatMap { level in
        level.first == level.last
            ? [(level.first, level.mean)] : [(level.first, level.mean), (level.last, level.mean)]
    }
    return (ends.map(\.0), ends.map(\.1))
}
