package import ArgumentParser
import AttentionProbes

/// Options of everything that computes.
package struct RunOptions: ParsableArguments {
    @Option(help: "Threads to use at most; results do not depend on it. (default: all processors)")
    package var threads: Int?

    @Option(help: "Seed of every random choice.")
    package var seed: UInt64 = 0

    package init() {}

    package var threadCount: Int { threads ?? Parallel.availableThreads }

    package mutating func validate() throws { try require(threads, "threads") }

    /// The bootstrap of so many draws; nil for none.
    func bootstrap(_ draws: Int) -> Bootstrap? {
        draws > 0 ? Bootstrap(replicates: draws, seed: seed) : nil
    }
}
