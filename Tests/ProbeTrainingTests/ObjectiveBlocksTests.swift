import AttentionProbes
import Probes
@testable import ProbeTraining
import Tensors
import TestSupport
import Testing

@Suite("Blocks of sequences that have a gradient each")
struct ObjectiveBlocksTests {
    // By hand: products are tokens · width · rows, of which a block beyond 32 has 2^25 and 512 for each parameter.
    @Test(
        arguments: [
            // 0.2 thousand million products: as many as ever, so that results keep their bits.
            (AttentionArchitecture(width: 384, outputs: 1, heads: 8), 25_000, 200, 32),
            // 2^25 · 64 products and one token less.
            (AttentionArchitecture(width: 1024, outputs: 1, heads: 8), 131_072, 1000, 64),
            (AttentionArchitecture(width: 1024, outputs: 1, heads: 8), 131_071, 1000, 32),
            // 3.7 thousand million are 109 times 2^25.
            (AttentionArchitecture(width: 2304, outputs: 1, heads: 8), 100_000, 400, 96),
            (AttentionArchitecture(width: 2304, outputs: 1, heads: 8), 100_000, 70, 70),
            (AttentionArchitecture(width: 2304, outputs: 1, heads: 8), 100_000, 20, 20),
            (AttentionArchitecture(width: 4096, outputs: 1, heads: 8), 10_000_000, 100_000, 256),
            // As much for each block, but more parameters than the products pay for.
            (AttentionArchitecture(width: 128, outputs: 128, heads: 12), 552_000, 1000, 32),
            // 4096 · 4096 · 2 parameters: two blocks would have 256 MB.
            (AttentionArchitecture(width: 4096, outputs: 1, heads: 4096), 10_000_000, 100_000, 32),
        ])
    func areAsManyAsTheWorkPaysFor(shape: AttentionArchitecture, tokens: Int, sequences: Int, count: Int) {
        #expect(Objective.blockCount(shape, tokens: tokens, sequences: sequences) == count)
    }

    // Likewise of one vector a sequence, for linear probes of one row, and of the mean and deviation of tokens, two numbers a
    // dimension: products are numbers · rows.
    @Test(
        arguments: [
            (100_000, 384, 1, 32), (1_000_000, 4096, 1, 96), (100_000_000, 4096, 1, 256),
            // Of 1000 rows, whose 4,096,000 numbers would have more than 256 MB in 33 blocks.
            (100_000, 4096, 1000, 32),
        ])
    func areAsManyForLinearProbes(vectors: Int, width: Int, rows: Int, count: Int) {
        let products = Double(vectors) * Double(width) * Double(rows)
        let found = Objective.blockCount(products: products, parameters: width * rows, sequences: vectors)
        #expect(found == count)
        #expect(Objective.blockCount(products: products, parameters: width * rows, sequences: 20) == 20)
    }

    @Test(arguments: [1, 32, 96, 256])
    func haveAboutEqualNumbersOfTokens(count: Int) {
        let lengths = (0..<1000).map { 1 + ($0 * 37) % 90 }
        let blocks = Objective.blocks(lengths, count: count)
        #expect(blocks.count == count && blocks.flatMap { Array($0) } == Array(lengths.indices))
        let share = lengths.reduce(0, +) / count
        #expect(blocks.allSatisfy { abs(lengths[$0].reduce(0, +) - share) <= 90 })
    }

    // A gradient of 100 blocks has the same bits on any number of threads, also on more than there are processors, and is that
    // of 32 up to rounding.
    @Test func moreBlocksHaveTheSameBitsOnAnyNumberOfThreads() throws {
        let data = try needleSet(count: 150)
        let shape = AttentionArchitecture(width: data.width, outputs: 1, heads: 3)
        let parameters = randomFloats(shape.tensors.parameterCount, seed: 2, scale: 0.3)
        func gradient(_ blocks: Int?, threads: Int) throws -> (loss: Double, gradient: [Float]) {
            var objective = Objective(shape, data, try data.task(), threads: threads)
            objective.blockCount = blocks
            return try objective.gradient(parameters)
        }
        let reference = try gradient(100, threads: 1)
        for threads in [2, 5, 16] { #expect(try gradient(100, threads: threads) == reference) }
        let few = try gradient(nil, threads: 2)
        #expect(few.gradient != reference.gradient)
        #expect(relativeError(few.gradient, reference.gradient) < 1e-5)
        #expect(abs(few.loss - reference.loss) < 1e-9 * reference.loss)
    }

    // Each number is the sum in the order of the blocks, also where several threads take parts of them.
    @Test(arguments: [1, 33, 256], [1, 3, 16])
    func gradientsAreAddedInTheOrderOfBlocks(count: Int, threads: Int) {
        let size = 5000
        // What is left over of a block of before counts for nothing.
        let blocks = (0..<count + 2).map { randomFloats(size, seed: UInt64($0)) }
        var found = [Float](repeating: .nan, count: size)
        Objective.add(blocks[..<count], into: &found, threads: threads)
        #expect(found == (0..<size).map { i in blocks[1..<count].reduce(blocks[0][i]) { $0 + $1[i] } })
    }
}
