/// Limited-memory BFGS (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4) with a
/// line search for the strong Wolfe conditions. The function must be the same at every call: the
/// full batch, never a fresh minibatch.
struct LBFGS {
    /// A point with the function's value and gradient there.
    struct Point {
        var x: [Double]
        var value: Double
        var gradient: [Double]
    }

    /// Why a run ended. Stalled: along no direction that was tried did a step lower the function, and the gradient
    /// is not small.
    enum Outcome { case converged, iterationLimit, stalled, stopped }

    /// Pairs of steps and gradient changes that are kept.
    var history = 10
    /// Iterations at most.
    var iterations: Int
    /// Where the function is convex, c_i > 0 so that it curves along x_i by c_i at least: then its distance from the
    /// least value is at most Σ g_i²/2c_i, and converged means that this is a ten-millionth of the value. nil for other
    /// functions, which have converged when no element of the gradient exceeds 1e-5, or none exceeds 1e-3
    /// and an iteration lowers the value by less than a hundredth of a millionth of it.
    var curvatures: [Double]?

    /// Runs from `start`; `afterStep` sees every new point and says whether to go on.
    func minimize(
        from start: [Double], _ function: @escaping ([Double]) throws -> (Double, [Double]),
        afterStep: (Int, Point) throws -> Bool
    ) throws -> Outcome {
        let (value, gradient) = try function(start)
        var point = Point(x: start, value: value, gradient: gradient)
        var pairs: [(s: [Double], y: [Double], rho: Double)] = []
        var decrease = Double.infinity
        for iteration in 1...max(1, iterations) {
            if isLeast(point, after: decrease) { return .converged }
            var direction = descent(point.gradient, pairs)
            var slope = inner(direction, point.gradient)
            if slope >= 0 {
                pairs = []
                direction = point.gradient.map(-)
                slope = inner(direction, point.gradient)
            }
            let firstStep = pairs.isEmpty ? min(1, 1 / norm1(point.gradient)) : 1
            let search = WolfeSearch(start: point, direction: direction, slope: slope, function: function)
            guard let next = try search.run(firstStep) else {
                // No decrease along this direction: try steepest descent once, then give up.
                if pairs.isEmpty { return .stalled }
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
            decrease = point.value - next.value
            point = next
            guard try afterStep(iteration, point) else { return .stopped }
        }
        return isLeast(point, after: decrease) ? .converged : .iterationLimit
    }

    private func isLeast(_ point: Point, after decrease: Double) -> Bool {
        if let curvatures {
            let distance = zip(point.gradient, curvatures).reduce(0) { $0 + $1.0 * $1.0 / (2 * $1.1) }
            return distance <= 1e-7 * abs(point.value)
        }
        let largest = point.gradient.reduce(0) { max($0, abs($1)) }
        return largest <= 1e-5 || largest <= 1e-3 && decrease <= 1e-8 * abs(point.value)
    }

    // The two-loop recursion: -H·g with the inverse Hessian H that the pairs imply.
    private func descent(_ gradient: [Double], _ pairs: [(s: [Double], y: [Double], rho: Double)]) -> [Double]
    {
        var q = gradient
        var alphas: [Double] = []
        for pair in pairs.reversed() {
            let alpha = pair.rho * inner(pair.s, q)
            for i in q.indices { q[i] -= alpha * pair.y[i] }
            alphas.append(alpha)
        }
        if let last = pairs.last {
            let scale = 1 / (last.rho * inner(last.y, last.y))
            for i in q.indices { q[i] *= scale }
        }
        for (pair, alpha) in zip(pairs, alphas.reversed()) {
            let beta = pair.rho * inner(pair.y, q)
            for i in q.indices { q[i] += (alpha - beta) * pair.s[i] }
        }
        return q.map { -$0 }
    }

    private func norm1(_ values: [Double]) -> Double { values.reduce(0) { $0 + abs($1) } }
}
