package import Tensors

extension ActivationSet {
    /// Splits the sequences into two parts, stratified by class, with every group whole in one part.
    ///
    /// Groups (a sequence without one is its own) are shuffled by the seed. One after the other is
    /// given to the second part as long as that brings the part's sequences of the group's classes
    /// closer to the fraction wanted.
    ///
    /// - Parameter fraction: the fraction of sequences wanted in the second part, between 0 and 1.
    /// - Returns: indices, each part in rising order. Either may be empty where the groups allow
    ///   nothing else.
    public func split(fraction: Double, seed: UInt64) -> (first: [Int], second: [Int]) {
        let members = Dictionary(grouping: 0..<count) { groups?[$0] ?? $0 }
        var order = members.keys.sorted()
        var generator = SeededGenerator(seed: seed, stream: RandomStream.split)
        order.shuffle(using: &generator)

        let values = Set(strata).sorted()
        let places = Dictionary(uniqueKeysWithValues: values.enumerated().map { ($1, $0) })
        let strata = strata.map { places[$0]! }
        let strataCount = values.count
        var wanted = [Double](repeating: 0, count: strataCount)
        for stratum in strata { wanted[stratum] += fraction }
        var second: [Int] = []
        for group in order {
            var counts = [Double](repeating: 0, count: strataCount)
            for index in members[group]! { counts[strata[index]] += 1 }
            let before = wanted.reduce(0) { $0 + $1 * $1 }
            let after = zip(wanted, counts).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            guard after < before else { continue }
            for s in counts.indices { wanted[s] -= counts[s] }
            second += members[group]!
        }
        let chosen = Set(second)
        return ((0..<count).filter { !chosen.contains($0) }, second.sorted())
    }

    /// The class of each sequence, of soft labels the one that they are cut to; one stratum for all where targets are
    /// no classes.
    package var strata: [Int] {
        targets?.hardClasses ?? Array(repeating: 0, count: count)
    }
}

extension ActivationSet {
    /// So many sequences at random, all if there are fewer: indices in rising order.
    package func sample(_ count: Int, seed: UInt64) -> [Int] {
        var order = Array(indices)
        var generator = SeededGenerator(seed: seed, stream: RandomStream.sample)
        order.shuffle(using: &generator)
        return order.prefix(max(0, count)).sorted()
    }

    /// Parts that follow each other, each with at most so many bytes of hidden states stored as `type` (nil
    /// for `storedType`), but at least one sequence.
    package func shards(of size: Int, as type: ElementType? = nil) -> [Range<Int>] {
        let tokenSize = width * (type ?? storedType).size
        var shards: [Range<Int>] = []
        var (start, bytes) = (0, 0)
        for index in indices {
            let own = length(index) * tokenSize
            if index > start, bytes + own > size {
                shards.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += own
        }
        return shards + [start..<count]
    }
}
