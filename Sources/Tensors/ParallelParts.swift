extension Parallel {
    /// Changes parts of two arrays, the i-th of both together, each on one thread. The results of `body`, in order.
    ///
    /// - Parameters:
    ///   - starts: where the parts of the first array start, and where the last ends; likewise `otherStarts`.
    ///   - workspace: made once for each thread, in the manner of `map`.
    /// - Precondition: as many parts of both; they lie inside their arrays, and no start is before the one before it.
    package static func changeParts<A, B, Workspace, R>(
        of first: inout [A], at starts: [Int], and second: inout [B], at otherStarts: [Int], threads: Int,
        workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, inout MutableSpan<A>, inout MutableSpan<B>, inout Workspace) throws -> R
    ) throws -> [R] {
        precondition(!starts.isEmpty && starts.count == otherStarts.count, "parts of two arrays")
        precondition(areParts(starts, of: first.count) && areParts(otherStarts, of: second.count), "no parts")
        return try unsafe first.withUnsafeMutableBufferPointer { first in
            try unsafe second.withUnsafeMutableBufferPointer { second in
                // Every index is taken by one thread, so every part has one writer.
                nonisolated(unsafe) let (first, second) = unsafe (first, second)
                return try map(count: starts.count - 1, threads: threads, workspace: workspace) { i, own in
                    var part = unsafe MutableSpan(_unsafeElements: first[starts[i]..<starts[i + 1]])
                    var other = unsafe MutableSpan(
                        _unsafeElements: second[otherStarts[i]..<otherStarts[i + 1]])
                    return try body(i, &part, &other, &own)
                }
            }
        }
    }

    /// The same for one array.
    package static func changeParts<A, Workspace, R>(
        of array: inout [A], at starts: [Int], threads: Int, workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, inout MutableSpan<A>, inout Workspace) throws -> R
    ) throws -> [R] {
        var none: [UInt8] = []
        return try changeParts(
            of: &array, at: starts, and: &none, at: Array(repeating: 0, count: starts.count),
            threads: threads, workspace: workspace
        ) { try body($0, &$1, &$3) }
    }

    /// The same for one array, by work that needs no workspace and cannot fail.
    package static func changeParts<A, R>(
        of array: inout [A], at starts: [Int], threads: Int,
        _ body: @Sendable (Int, inout MutableSpan<A>) -> R
    ) -> [R] {
        try! changeParts(of: &array, at: starts, threads: threads, workspace: { () }) { part, numbers, _ in
            body(part, &numbers)
        }
    }

    /// Arrays of floats that `body` writes, the first part of each array, then the second. One thread writes a
    /// part, and nobody before it: on a machine of several nodes memory lies near the threads, not near one of them.
    ///
    /// - Parameters:
    ///   - starts: of each array where its parts start, from 0 on, and where the last ends, which is its size.
    ///   - body: is given the number of the part and that of the array; what it does not write means nothing.
    /// - Precondition: there is an array, and all have as many parts.
    package static func floats<Workspace>(
        at starts: [[Int]], threads: Int, workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, Int, inout MutableSpan<Float>, inout Workspace) throws -> Void
    ) throws -> [[Float]] {
        let counts = starts.map { $0[$0.count - 1] }
        precondition(
            starts.allSatisfy {
                $0.count == starts[0].count && $0[0] == 0 && areParts($0, of: $0[$0.count - 1])
            })
        return try unsafe floats(counts[...], []) { arrays in
            nonisolated(unsafe) let arrays = unsafe arrays
            try forEach(
                count: (starts[0].count - 1) * starts.count, threads: threads, workspace: workspace
            ) { index, own in
                let (part, k) = index.quotientAndRemainder(dividingBy: starts.count)
                var numbers = unsafe MutableSpan(
                    _unsafeElements: arrays[k][starts[k][part]..<starts[k][part + 1]])
                try body(part, k, &numbers, &own)
            }
        }
    }

    // Arrays whose memory `fill` is given, with that of the arrays before them.
    private static func floats(
        _ counts: ArraySlice<Int>, _ before: [UnsafeMutableBufferPointer<Float>],
        _ fill: ([UnsafeMutableBufferPointer<Float>]) throws -> Void
    ) throws -> [[Float]] {
        guard let count = counts.first else {
            try unsafe fill(before)
            return []
        }
        var after: [[Float]] = []
        let own = try unsafe [Float](unsafeUninitializedCapacity: count) { memory, written in
            unsafe after = try floats(counts.dropFirst(), before + [memory], fill)
            written = count
        }
        return [own] + after
    }

    /// Where parts of a range start that have `size` elements, the last what is left, and where that ends: what takes some
    /// ten microseconds by default, so that a thread is worth waking for it.
    package static func starts(of range: Range<Int>, size: Int = 1 << 15) -> [Int] {
        Array(stride(from: range.lowerBound, to: range.upperBound, by: size)) + [range.upperBound]
    }

    private static func areParts(_ starts: [Int], of count: Int) -> Bool {
        starts[0] >= 0 && starts[starts.count - 1] <= count
            && zip(starts, starts.dropFirst()).allSatisfy { $0 <= $1 }
    }
}
