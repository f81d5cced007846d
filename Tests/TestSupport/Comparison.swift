/// The largest difference between two lists over the largest magnitude in the second.
public func relativeError(_ found: some Collection<Float>, _ expected: some Collection<Float>) -> Float {
    precondition(found.count == expected.count, "\(found.count) values, expected \(expected.count)")
    let largest = expected.reduce(0) { max($0, abs($1)) }
    let difference = zip(found, expected).reduce(Float(0)) {
        // A NaN must not pass as a small difference.
        $1.0.isFinite && $1.1.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
    }
    return largest == 0 ? difference : difference / largest
}

/// The gradient of a function by central differences, in double precision: (f(x + h·e_i) - f(x - h·e_i)) / 2h.
public func centralDifferences(
    at x: some Collection<Float>, step h: Double = 1e-6, _ f: ([Double]) throws -> Double
) rethrows -> [Float] {
    let wide = x.map(Double.init)
    return try wide.indices.map { i in
        var (up, down) = (wide, wide)
        up[i] += h
        down[i] -= h
        return Float(try (f(up) - f(down)) / (2 * h))
    }
}
