import AttentionProbes
import TestSupport
import Testing

@Suite("Products of tokens and weight rows")
struct ProjectionTests {
    static let shapes = [
        (1, 1, 1), (3, 5, 2), (37, 16, 4), (300, 33, 5), (50, 257, 16), (13, 700, 17), (26, 384, 70),
        (29, 300, 8), (21, 90, 24), (19, 520, 38),
    ]

    @Test(arguments: shapes, Projection.Plan.allCases)
    func everyPlanMatchesDoublePrecision(shape: (tokens: Int, width: Int, rows: Int), plan: Projection.Plan)
        throws
    {
        let (n, width, rows) = shape
        let sequence = try randomBatch(lengths: [n], width: width, seed: 3)[0]
        let weights = randomFloats(rows * width, seed: 4)
        var (z, scratch): ([Float], [Float]) = ([], [])
        Projection(weights[...], rows: rows, width: width, plan: plan).apply(
            sequence, into: &z, scratch: &scratch)

        let x = randomFloats(n * width, seed: 3)
        var expected: [Float] = []
        for r in 0..<rows {
            for j in 0..<n {
                expected.append(
                    Float(
                        (0..<width).reduce(0.0) {
                            $0 + Double(x[j * width + $1]) * Double(weights[r * width + $1])
                        }))
            }
        }
        #expect(relativeError(z[..<(rows * n)], expected) < 1e-6)
    }

    // 100 tokens stand at rows 0, 7, 500… of batches of other lengths: the bits must not know.
    @Test(arguments: Projection.Plan.allCases, [1, 4, 7, 16, 24, 40])
    func bitsDoNotDependOnTheBatch(plan: Projection.Plan, rows: Int) throws {
        let width = 130
        let weights = randomFloats(rows * width, seed: 5)
        let projection = Projection(weights[...], rows: rows, width: width, plan: plan)
        let tokens = randomFloats(100 * width, seed: 6)
        var reference: [Float] = []
        for before in [0, 1, 7, 500] {
            let batch = try RaggedBatch(
                [randomFloats(before * width, seed: 7), tokens, randomFloats(3 * width, seed: 8)].filter {
                    !$0.isEmpty
                },
                width: width)
            var (z, scratch): ([Float], [Float]) = ([], [])
            projection.apply(batch[before > 0 ? 1 : 0], into: &z, scratch: &scratch)
            if before == 0 { reference = z }
            #expect(Array(z.prefix(rows * 100)) == Array(reference.prefix(rows * 100)))
        }
    }

    // A probe alone and beside others meets panels of 8, 16, 24 and 32 columns: the bits must not know either.
    @Test(arguments: [5, 8, 9, 16, 17, 24, 25, 32, 39])
    func bitsDoNotDependOnOtherRows(rows: Int) throws {
        let (count, width, all) = (45, 300, 48)
        let weights = randomFloats(all * width, seed: 16)
        let sequence = try randomBatch(lengths: [count], width: width, seed: 17)[0]
        var (some, every, scratch): ([Float], [Float], [Float]) = ([], [], [])
        Projection(weights[...], rows: all, width: width, plan: .panels).apply(
            sequence, into: &every, scratch: &scratch)
        for first in [0, 3, all - rows] {
            let part = weights[first * width..<(first + rows) * width]
            Projection(part, rows: rows, width: width, plan: .panels).apply(
                sequence, into: &some, scratch: &scratch)
            #expect(some.prefix(rows * count) == every[first * count..<(first + rows) * count])
        }
    }

    // Widened in the product or before: the same bits, with tokens behind others, at odd addresses, and as two of
    // three layers side by side, one after the other or turned about.
    @Test(arguments: [1, 2, 3, 4, 8, 16, 24, 40, 130], [(277, 0), (278, 0), (278, 2), (277, 3)])
    func storedTokens(rows: Int, place: (width: Int, offset: Int)) throws {
        let (count, width, offset) = (70, place.width, place.offset)
        let folder = try TemporaryFolder()
        let weights = randomFloats(rows * 2 * width, seed: 15)
        for type in ElementType.allCases {
            let bytes = narrow(randomFloats(count * 3 * width, seed: 14).span, as: type)
            var every = [Float](repeating: 0, count: count * 3 * width)
            every.withPart(every.indices) { unsafe widen(bytes.span.bytes, as: type, into: &$0) }
            // Each layer has scales of its own.
            let hasScales = type == .f8E4M3 || type == .f8E5M2
            let scales = (0..<3).map { randomFloats(count, seed: 30 + UInt64($0)).map { abs($0) + 0.01 } }
            let path = try folder.write(
                Array(repeating: 0, count: offset) + bytes, to: "states-\(type)")
            let row = width * type.size
            let file = try ByteSource(path: path)
            for (layers, stride) in [([0], row), ([1], 3 * row), ([1, 2], 3 * row), ([2, 0], 3 * row)] {
                let pieces = layers.map {
                    TokenMatrix.Piece(
                        file, offset: offset + $0 * row, stride: stride, columns: width,
                        scales: hasScales ? scales[$0] : nil)
                }
                let stored = TokenMatrix(pieces: pieces, elementType: type, rows: count)
                var floats: [Float] = []
                for token in 0..<count {
                    for layer in layers {
                        let start = (token * (stride / row) + layer) * width
                        floats += every[start..<start + width].map {
                            hasScales ? $0 * scales[layer][token] : $0
                        }
                    }
                }
                var scratch: [Float] = []
                let found = stored.withRows(0..<count, scratch: &scratch) { rows in
                    rows.indices.map { rows[$0] }
                }
                #expect(found == floats)
                let columns = stored.columns
                let projection = Projection(weights[..<(rows * columns)], rows: rows, width: columns)
                let offsets = [0, 3, 70]
                let wide = try RaggedBatch(tokens: TokenMatrix(floats, columns: columns), offsets: offsets)
                let inPlace = try RaggedBatch(tokens: stored, offsets: offsets)
                for index in 0..<2 {
                    var (expected, found): ([Float], [Float]) = ([], [])
                    projection.apply(wide[index], into: &expected, scratch: &scratch)
                    projection.apply(inPlace[index], into: &found, scratch: &scratch)
                    #expect(found == expected, "\(type), layers \(layers)")
                }
            }
        }
    }

    @Test(
        arguments: [
            (301, 20, 3), (5, 1, 1), (64, 150, 7), (40, 96, 16), (20, 4096, 11), (31, 4096, 16),
            (150, 20, 70),
        ],
        [true, false])
    func weightedSums(shape: (tokens: Int, width: Int, rows: Int), usesGemm: Bool) throws {
        let (n, width, rows) = shape
        let sequence = try randomBatch(lengths: [n], width: width, seed: 9)[0]
        let x = randomFloats(n * width, seed: 9)
        let a = randomFloats(rows * n, seed: 10)
        var sums = randomFloats(rows * width, seed: 11)
        var expected = sums
        for r in 0..<rows {
            for d in 0..<width {
                expected[r * width + d] += Float(
                    (0..<n).reduce(0.0) { $0 + Double(a[r * n + $1]) * Double(x[$1 * width + d]) })
            }
        }
        var scratch: [Float] = []
        sequence.addWeightedSums(a, rows: rows, to: &sums, scratch: &scratch, usesGemm: usesGemm)
        #expect(relativeError(sums, expected) < 1e-6)
    }

    @Test func hiddenTokensAreLeftOut() throws {
        let tokens = TokenMatrix(randomFloats(6 * 4, seed: 12), columns: 4)
        let mask = [true, false, true, true, false, true]
        let masked = try RaggedBatch(tokens: tokens, offsets: [0, 6], tokenMask: mask)[0]
        let all = try RaggedBatch(tokens: tokens, offsets: [0, 6])[0]
        #expect((0..<masked.count).map(masked.position) == [0, 2, 3, 5])
        let projection = Projection(randomFloats(8, seed: 13)[...], rows: 2, width: 4)
        var (some, every, scratch): ([Float], [Float], [Float]) = ([], [], [])
        projection.apply(masked, into: &some, scratch: &scratch)
        projection.apply(all, into: &every, scratch: &scratch)
        for r in 0..<2 {
            for j in 0..<4 { #expect(some[r * 4 + j] == every[r * 6 + masked.position(j)]) }
        }
    }
}
