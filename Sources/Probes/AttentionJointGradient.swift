import Tensors

extension AttentionArchitecture: JointArchitecture {
    // 2 MB of value rows.
    private static let mostCachedValues = 1 << 19

    package func isFasterJointly(tokens: Int, blocks: Int) -> Bool {
        // The gradient of a block is cleared, written and added, and value rows that no cache holds are met by few sequences
        // at a time; here the tokens are read once more.
        plan == .poolThenProject
            && (3 * blocks * heads * values > tokens || heads * values * width > Self.mostCachedValues)
    }
}

// The formula of AttentionSharedValues.swift for as many sequences as there are, step by step: what belongs to a
// sequence a block of sequences at a time, and what belongs to a head a head at a time, which alone writes ∂v_h.
extension AttentionEvaluator: JointEvaluator {
    // Values that one thread computes at a time.
    private static let tile = 64

    package func jointNumbers(tokens: Int) -> Int {
        shape.heads * (tokens + 2 * shape.width) + 3 * shape.values
    }

    package func jointGradient(
        _ sequences: [TokenSequence], blocks: [Range<Int>], _ projection: Projection, addsTo: Bool,
        threads: Int,
        _ workspaces: Pool<Workspace>, _ joint: inout JointWorkspace, gradient: inout [Float],
        loss: @Sendable (Int, inout Workspace) -> Double
    ) throws -> Double {
        let (count, heads, width, values) = (sequences.count, shape.heads, shape.width, shape.values)
        let size = heads * width
        let row = size + values
        let starts = [0] + blocks.map(\.upperBound)
        let attentionStarts = sequences.reduce(into: [0]) { $0.append($0.last! + heads * $1.count) }
        joint.grow(
            count: count, values: values, size: size, attention: attentionStarts.last!, blocks: blocks.count)

        _ = try Parallel.changeParts(
            of: &joint.pooled, at: starts.map { $0 * row }, and: &joint.attention,
            at: starts.map { attentionStarts[$0] }, threads: threads, workspace: workspaces.lend
        ) { block, pooled, attention, work in
            let first = blocks[block].lowerBound
            for i in blocks[block] {
                try attendAndPool(sequences[i], row: 0, by: projection, &work.value)
                pooled.replace(at: (i - first) * row, with: work.value.pooled[..<size])
                pooled.replace(at: (i - first) * row + size, with: work.value.values[..<values])
                attention.replace(
                    at: attentionStarts[i] - attentionStarts[first],
                    with: work.value.attention[..<(heads * sequences[i].count)])
            }
        }
        let (pooled, attention) = (joint.pooled, joint.attention)

        // r += Σ_h v_h·U_hᵀ, V×G.
        let tiles = Parallel.starts(of: 0..<values, size: Self.tile)
        _ = Parallel.changeParts(of: &joint.values, at: tiles.map { $0 * count }, threads: threads) {
            tile, r in
            for h in 0..<heads {
                BLAS.gemm(
                    .no, .yes, m: tiles[tile + 1] - tiles[tile], n: count, k: width,
                    a: parameters[valueRange(h)].span.extracting(droppingFirst: tiles[tile] * width),
                    aStride: width, b: pooled.span.extracting(droppingFirst: h * width), bStride: row,
                    beta: h == 0 ? 0 : 1, c: &r, cStride: count)
            }
        }

        var tokenEvaluator = self
        tokenEvaluator.gap = v.count
        let (own, r) = (tokenEvaluator, joint.values)
        let losses = try Parallel.changeParts(
            of: &joint.valueGradient, at: starts.map { $0 * values }, and: &joint.rest,
            at: Array(0...blocks.count), threads: threads, workspace: workspaces.lend
        ) { block, g, rest, work in
            rest[0].reset(count: parameters.count - v.count)
            var total = 0.0
            for i in blocks[block] {
                work.value.values.reset(to: pooled[i * row + size..<(i + 1) * row])
                for k in 0..<values { work.value.values[k] += r[k * count + i] }
                try own.judge(&work.value, &rest[0]) { total += loss(i, &$0) }
                g.replace(
                    at: (i - blocks[block].lowerBound) * values, with: work.value.valueGradient[..<values])
            }
            return total
        }

        // C_h = g·v_h and ∂v_h = gᵀ·U_h.
        let g = joint.valueGradient
        let transposed = transposed(count, g)
        _ = try Parallel.changeParts(
            of: &joint.combined, at: (0...heads).map { $0 * count * width }, and: &gradient,
            at: (0...heads).map { v.lowerBound + $0 * values * width }, threads: threads, workspace: { () }
        ) { h, combined, sums, _ in
            combined.update(repeating: 0)
            addCombined(h, count, g.span, to: &combined, stride: width)
            if !addsTo { sums.update(repeating: 0) }
            addValueGradient(h, count, transposed.span, pooled.span, stride: row, to: &sums)
        }

        let combined = joint.combined
        _ = try Parallel.changeParts(
            of: &joint.rest, at: Array(0...blocks.count), threads: threads, workspace: workspaces.lend
        ) { block, rest, work in
            work.value.combined.grow(to: size)
            for i in blocks[block] {
                work.value.attention.reset(to: attention[attentionStarts[i]..<attentionStarts[i + 1]])
                work.value.pooled.reset(to: pooled[i * row..<i * row + size])
                work.value.valueGradient.reset(to: g[i * values..<(i + 1) * values])
                for h in 0..<heads {
                    work.value.combined.replace(
                        at: h * width, with: combined[(h * count + i) * width..<(h * count + i + 1) * width])
                }
                own.addTokenGradient(sequences[i], &work.value, &rest[0])
            }
        }
        let rests = joint.rest[..<blocks.count]
        for (range, missing) in [(0..<v.lowerBound, 0), (v.upperBound..<parameters.count, v.count)] {
            let starts = Parallel.starts(of: range)
            _ = Parallel.changeParts(of: &gradient, at: starts, threads: threads) { part, sums in
                for (block, rest) in rests.enumerated() {
                    let start = starts[part] - missing
                    for i in sums.indices {
                        sums[i] = addsTo || block > 0 ? sums[i] + rest[start + i] : rest[start + i]
                    }
                }
            }
        }
        return losses.reduce(0, +)
    }
}
