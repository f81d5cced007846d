// Confidence intervals by the stratified percentile bootstrap (Efron, 1979): resamples are drawn,
// with replacement and as many of each stratum (a class; with several labels a sequence and for
// regression there is one stratum) as there are, and the middle 95 % of a metric over all resamples are its
// interval. Resample r takes its random numbers from stream r of the seed, so the result
// does not depend on threads.
import Tensors

/// How many resamples to draw, and from which seed.
public struct Bootstrap: Sendable, Equatable {
    /// Resamples.
    public let replicates: Int
    /// Their seed.
    public let seed: UInt64

    /// Resamples at most: the metrics of all are in memory until the last is there.
    package static let mostReplicates = 1_000_000

    /// - Precondition: at least one resample, and at most a million.
    public init(replicates: Int = 1000, seed: UInt64 = 0) {
        precondition((1...Self.mostReplicates).contains(replicates), "\(replicates) draws")
        self.replicates = replicates
        self.seed = seed
    }

    /// The 95 % intervals of metrics; nil for a metric that some resample does not have.
    ///
    /// - Parameters:
    ///   - strata: the indices of each class; classes without any are left out.
    ///   - metrics: the metrics of a resample, given its indices; always as many.
    package func intervals(
        strata: [[Int]], threads: Int = Parallel.availableThreads,
        _ metrics: @Sendable ([Int]) -> [Double?]
    ) throws -> [ClosedRange<Double>?] {
        let strata = strata.filter { !$0.isEmpty }
        let resamples = try Parallel.map(count: replicates, threads: threads) { replicate in
            var generator = SeededGenerator(
                seed: seed, stream: RandomStream.bootstrap &+ UInt64(replicate))
            return metrics(
                strata.flatMap { stratum in
                    stratum.map { _ in stratum[Int.random(in: 0..<stratum.count, using: &generator)] }
                })
        }
        return resamples[0].indices.map { metric in
            let values = resamples.compactMap { $0[metric] }.sorted()
            guard values.count == replicates else { return nil }
            return quantile(values, 0.025)...quantile(values, 0.975)
        }
    }
}

/// A quantile of sorted values, linear between neighbours (NumPy's default).
///
/// - Precondition: there is a value, and `fraction` is from 0 to 1.
func quantile(_ sorted: [Double], _ fraction: Double) -> Double {
    let place = fraction * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
}
