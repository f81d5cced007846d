import Activations

/// A step length α along a direction d that meets the strong Wolfe conditions for
/// φ(α) = f(x + α·d):  φ(α) ≤ φ(0) + c₁·α·φ'(0)  and  |φ'(α)| ≤ c₂·|φ'(0)|
/// with c₁ = 1e-4 and c₂ = 0.9 (Nocedal and Wright, algorithms 3.5 and 3.6).
struct WolfeSearch {
    private static let sufficientDecrease = 1e-4
    private static let curvature = 0.9
    private static let mostEvaluations = 25

    let start: LBFGS.Point
    let direction: [Double]
    let slope: Double
    let function: ([Double]) throws -> (Double, [Double])

    private struct Trial {
        var step: Double
        var slope: Double
        var point: LBFGS.Point
    }

    /// The point found; nil if no step lowers the function. A step that lowers it without meeting
    /// the second condition is taken when the evaluations run out.
    func run(_ firstStep: Double) throws -> LBFGS.Point? {
        var previous = Trial(step: 0, slope: slope, point: start)
        var step = firstStep
        for evaluation in 1...Self.mostEvaluations {
            let trial = try evaluate(step)
            if !isLower(trial) || (evaluation > 1 && trial.point.value >= previous.point.value) {
                return try zoom(previous, trial, Self.mostEvaluations - evaluation)
            }
            if isFlat(trial) { return trial.point }
            if trial.slope >= 0 { return try zoom(trial, previous, Self.mostEvaluations - evaluation) }
            previous = trial
            step *= 2
        }
        return previous.point
    }

    // Narrows an interval that holds a good step; `low` is its end with the lower value.
    private func zoom(_ low: Trial, _ high: Trial, _ evaluations: Int) throws -> LBFGS.Point? {
        var (low, high) = (low, high)
        for _ in 0..<evaluations {
            let trial = try evaluate(interpolate(low, high))
            if !isLower(trial) || trial.point.value >= low.point.value {
                high = trial
            } else {
                if isFlat(trial) { return trial.point }
                if trial.slope * (high.step - low.step) >= 0 { high = low }
                low = trial
            }
            if abs(high.step - low.step) <= 1e-9 * max(low.step, high.step) { break }
        }
        return low.step > 0 ? low.point : nil
    }

    private func isLower(_ trial: Trial) -> Bool {
        trial.point.value <= start.value + Self.sufficientDecrease * trial.step * slope
    }

    private func isFlat(_ trial: Trial) -> Bool { abs(trial.slope) <= Self.curvature * abs(slope) }

    // Minimum of the cubic through both ends' values and slopes, kept off the ends.
    private func interpolate(_ a: Trial, _ b: Trial) -> Double {
        let d1 = a.slope + b.slope - 3 * (a.point.value - b.point.value) / (a.step - b.step)
        let square = d1 * d1 - a.slope * b.slope
        let (left, right) = (min(a.step, b.step), max(a.step, b.step))
        let margin = 0.1 * (right - left)
        guard square >= 0, square.isFinite else { return (left + right) / 2 }
        let d2 = (b.step > a.step ? 1 : -1) * square.squareRoot()
        let step = b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
        return step.isFinite ? min(max(step, left + margin), right - margin) : (left + right) / 2
    }

    private func evaluate(_ step: Double) throws -> Trial {
        let x = zip(start.x, direction).map { $0 + step * $1 }
        do {
            let (value, gradient) = try function(x)
            return Trial(
                step: step, slope: inner(gradient, direction),
                point: LBFGS.Point(x: x, value: value, gradient: gradient))
        } catch let error as DataError where error.rule == .overflow {
            // A step so long that products overflow is too long.
            return Trial(
                step: step, slope: 0, point: LBFGS.Point(x: x, value: .infinity, gradient: start.gradient))
        }
    }
}

/// Σ a_i·b_i.
func inner(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
}
