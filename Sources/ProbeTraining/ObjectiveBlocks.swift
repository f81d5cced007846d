import Probes
import Tensors

// How sequences are cut into blocks of which each has a gradient of its own. The number of blocks depends on the data and the
// shape of the probe alone, so that the sums have the same bits on any number of threads.
extension Objective {
    /// Blocks of little work: enough for the threads of many servers, few enough that a gradient for each costs little.
    static let fewBlocks = 32
    /// Blocks of any work, at the most.
    static let mostBlocks = 256

    // What a block beyond the first 32 has at the least: products of a number of a token with a weight, some milliseconds of a
    // core with its sums and the way back; and 512 of them for each parameter, as a block clears, writes and adds each of
    // its gradient, which then takes a fortieth of its time.
    private static let leastProducts = Double(1 << 25)
    private static let leastProductsPerParameter = 512.0
    // Numbers that the gradients of more blocks than 32 have together at the most: 256 MB.
    private static let mostNumbers = Double(1 << 26)

    /// How many blocks so many sequences are cut into: 32, or of much work for each of their gradients a multiple of that up
    /// to 256, which numbers of threads divide; not more than there are sequences.
    static func blockCount(_ architecture: any ProbeArchitecture, tokens: Int, sequences: Int) -> Int {
        let few = min(fewBlocks, sequences)
        // One gradient takes all of them.
        if let joint = architecture as? any JointArchitecture,
            joint.isFasterJointly(tokens: tokens, blocks: few)
        {
            return few
        }
        return blockCount(
            products: Double(tokens) * Double(architecture.width) * Double(architecture.rowsPerToken),
            parameters: architecture.tensors.parameterCount, sequences: sequences)
    }

    /// The same for so many products of a number of a token with a weight, and so many numbers that each block gathers.
    static func blockCount(products: Double, parameters: Int, sequences: Int) -> Int {
        let parameters = Double(max(1, parameters))
        let most = min(
            products / leastProducts, products / (leastProductsPerParameter * parameters),
            mostNumbers / parameters,
            Double(mostBlocks))
        return min(sequences, fewBlocks * max(1, Int(most) / fewBlocks))
    }

    /// Consecutive ranges with about equal numbers of tokens.
    static func blocks(_ lengths: [Int], count: Int = fewBlocks) -> [Range<Int>] {
        let count = min(lengths.count, count)
        let total = lengths.reduce(0, +)
        var blocks: [Range<Int>] = []
        var (start, tokens) = (0, 0)
        for (i, length) in lengths.enumerated() {
            tokens += length
            if tokens * count >= total * (blocks.count + 1) || i == lengths.count - 1 {
                blocks.append(start..<i + 1)
                start = i + 1
            }
        }
        return blocks
    }

    /// The order in which threads come to the sequences of blocks: as many blocks at once as there are
    /// threads, sequence by sequence.
    static func order(_ indices: [Int], _ blocks: [Range<Int>], _ threads: Int) -> [Int] {
        let threads = max(1, threads)
        return stride(from: 0, to: blocks.count, by: threads).flatMap { first -> [Int] in
            let together = blocks[first..<min(first + threads, blocks.count)]
            let longest = together.map(\.count).max() ?? 0
            return (0..<longest).flatMap { step in
                together.filter { step < $0.count }.map { indices[$0.lowerBound + step] }
            }
        }
    }

    /// The sum of the gradients of blocks, each number by one thread and in the order of the blocks.
    static func add(_ blocks: ArraySlice<[Float]>, into gradient: inout [Float], threads: Int) {
        // Parts for which a thread is worth waking.
        let size = max(1 << 10, (1 << 18) / max(1, blocks.count))
        let starts = Parallel.starts(of: gradient.indices, size: size)
        _ = Parallel.changeParts(of: &gradient, at: starts, threads: threads) { part, sums in
            let start = starts[part]
            for (place, block) in blocks.enumerated() {
                let numbers = block.span.extracting(start..<start + sums.count)
                if place == 0 {
                    for i in sums.indices { sums[i] = numbers[i] }
                } else {
                    for i in sums.indices { sums[i] += numbers[i] }
                }
            }
        }
    }
}
