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
    /// λ, where the function is convex and holds λ/2·Σx²: then its distance from the least value is at most
    /// |g|²/2λ, and converged means that this is a ten-millionth of the value. 0 for other functions, which
    /// have converged when no element of the gradient exceeds 1e-5, or an iteration lowers the value by less
    /// than a hundredth of a millionth of it.
    var strongConvexity = 0.0

    /// Runs from `start`; `afterStep` sees every new point and says whether to go on.
    func minimize(
        from start: [Float], _ function: @escaping ([Float]) throws -> (Double, [Float]),
        afterStep: (Int, Point) throws -> Bool
    ) throws -> Outcome {
        let (value, gradient) = try function(start)
        var point = Point(x: start, value: value, gradient: gradient)
        var pairs: [(s: [Float], y: [Float], rho: Double)] = []
        for iteration in 1...max(1, iterations) {
            if isLeast(point) { return .converged }
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
            if decrease <= (strongConvexity > 0 ? 1e-10 : 1e-8) * abs(point.value) { return .converged }
        }
        return .iterationLimit
    }

    private func isLeast(_ point: Point) -> Bool {
        guard strongConvexity > 0 else { return largest(point.gradient) <= 1e-5 }
        return inner(point.gradient, point.gradient) <= 2 * strongConvexity * 1e-7 * abs(point.value)
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
