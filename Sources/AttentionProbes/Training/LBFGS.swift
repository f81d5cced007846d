private import Foundation

/// Limited-memory BFGS (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4) with a
/// line search for the strong Wolfe conditions. The function must be the same at every call: the
/// full batch, never a fresh minibatch.
struct LBFGS {
    /// A point with the function's value and gradient there.
    struct Point {
        var x: [Float]
        var value: Double
        var gradient: [Float]
    }

    /// Why a run ended.
    enum Outcome { case converged, iterationLimit, stopped }

    /// Pairs of steps and gradient changes that are kept.
    var history = 10
    /// Iterations at most.
    var iterations: Int
    /// Converged when no element of the gradient exceeds this, or an iteration lowers the value by
    /// less than a tenth of a millionth of it.
    var tolerance: Float = 1e-5

    /// Runs from `start`; `afterStep` sees every new point and says whether to go on.
    func minimize(
        from start: [Float], _ function: @escaping ([Float]) throws -> (Double, [Float]),
        afterStep: (Int, Point) throws -> Bool
    ) throws -> Outcome {
        let (value, gradient) = try function(start)
        var point = Point(x: start, value: value, gradient: gradient)
        var pairs: [(s: [Float], y: [Float], rho: Double)] = []
        for iteration in 1...max(1, iterations) {
            if largest(point.gradient) <= tolerance { return .converged }
            var direction = descent(point.gradient, pairs)
            var slope = inner(direction, point.gradient)
            if slope >= 0 {
                pairs = []
                direction = point.gradient.map(-)
                slope = inner(direction, point.gradient)
            }
            let firstStep = pairs.isEmpty ? min(1, 1 / Double(norm1(point.gradient))) : 1
            let search = WolfeSearch(start: point, direction: direction, slope: slope, function: function)
            guard let next = try search.run(firstStep) else {
                // No decrease along this direction: try steepest descent once, then give up.
                if pairs.isEmpty { return .converged }
                pairs = []
                continue
            }
            let s = zip(next.x, point.x).map { $0 - $1 }
            let y = zip(next.gradient, point.gradient).map { $0 - $1 }
            let curvature = inner(s, y)
            if curvature > 1e-10 * inner(y, y) {
                pairs.append((s, y, 1 / curvature))
                if pairs.count > history { pairs.removeFirst() }
            }
            let decrease = point.value - next.value
            point = next
            guard try afterStep(iteration, point) else { return .stopped }
            if decrease <= 1e-7 * abs(point.value) { return .converged }
        }
        return .iterationLimit
    }

    // The two-loop recursion: -H·g with the inverse Hessian H that the pairs imply.
    private func descent(_ gradient: [Float], _ pairs: [(s: [Float], y: [Float], rho: Double)]) -> [Float] {
        var q = gradient.map(Double.init)
        var alphas: [Double] = []
        for pair in pairs.reversed() {
            let alpha = pair.rho * zip(pair.s, q).reduce(0) { $0 + Double($1.0) * $1.1 }
            for i in q.indices { q[i] -= alpha * Double(pair.y[i]) }
            alphas.append(alpha)
        }
        if let last = pairs.last {
            let scale = 1 / (last.rho * inner(last.y, last.y))
            for i in q.indices { q[i] *= scale }
        }
        for (pair, alpha) in zip(pairs, alphas.reversed()) {
            let beta = pair.rho * zip(pair.y, q).reduce(0) { $0 + Double($1.0) * $1.1 }
            for i in q.indices { q[i] += (alpha - beta) * Double(pair.s[i]) }
        }
        return q.map { Float(-$0) }
    }

    private func largest(_ values: [Float]) -> Float { values.reduce(0) { max($0, abs($1)) } }
    private func norm1(_ values: [Float]) -> Float { values.reduce(0) { $0 + abs($1) } }
}

private func inner(_ a: [Float], _ b: [Float]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += Double(a[i]) * Double(b[i]) }
    return sum
}

/// A step length α along a direction d that meets the strong Wolfe conditions for
/// φ(α) = f(x + α·d):  φ(α) ≤ φ(0) + c₁·α·φ'(0)  and  |φ'(α)| ≤ c₂·|φ'(0)|
/// with c₁ = 1e-4 and c₂ = 0.9 (Nocedal and Wright, algorithms 3.5 and 3.6).
private struct WolfeSearch {
    private static let sufficientDecrease = 1e-4
    private static let curvature = 0.9
    private static let mostEvaluations = 25

    let start: LBFGS.Point
    let direction: [Float]
    let slope: Double
    let function: ([Float]) throws -> (Double, [Float])

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
        let x = zip(start.x, direction).map { $0 + Float(step) * $1 }
        let (value, gradient) = try function(x)
        return Trial(
            step: step, slope: inner(gradient, direction),
            point: LBFGS.Point(x: x, value: value, gradient: gradient))
    }
}
