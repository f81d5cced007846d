private import CKernels

extension Parallel {
    /// Changes some rows of a matrix, tile after tile of them, each on one thread. If some tiles throw, the matrix is as it
    /// was, and the error of the first that ran is thrown.
    ///
    /// - Parameters:
    ///   - chosen: the rows, none twice.
    ///   - matrix: its rows lie one behind the other, and may be anywhere in memory: those of a tile are asked for before
    ///     `prepare` begins.
    ///   - tile: rows of a tile; the last has what is left.
    ///   - spare: grows to n×`columns` for n chosen rows; what is in it means nothing.
    ///   - results: grows to n×`resultColumns`; rows of it that `change` does not write mean nothing.
    ///   - prepare: is given which of the chosen rows are in the tile.
    ///   - change: is then given the same and copies of these rows, one behind the other, which become the matrix's, and the
    ///     rows of `results` that go with them.
    /// - Precondition: the rows are there.
    package static func changeRows<Workspace>(
        _ chosen: [Int], of matrix: inout [Double], columns: Int, tile: Int, threads: Int,
        spare: inout [Double], results: inout [Float], resultColumns: Int,
        workspace: @Sendable () -> Workspace,
        prepare: @Sendable (Range<Int>, inout Workspace) throws -> Void,
        change:
            @Sendable (Range<Int>, inout MutableSpan<Double>, inout MutableSpan<Float>, inout Workspace)
            throws -> Void
    ) throws {
        let (count, rowCount) = (chosen.count, columns == 0 ? 0 : matrix.count / columns)
        precondition(tile > 0 && chosen.allSatisfy { (0..<rowCount).contains($0) }, "no such rows")
        let tiles = (count + tile - 1) / tile
        if spare.count < count * columns { spare = Array(repeating: 0, count: count * columns) }
        results.grow(to: count * resultColumns)
        var isDone = [Bool](repeating: false, count: tiles)
        @Sendable func range(_ index: Int) -> Range<Int> { index * tile..<min((index + 1) * tile, count) }
        try unsafe matrix.withUnsafeMutableBufferPointer { matrix in
            try unsafe spare.withUnsafeMutableBufferPointer { spare in
                try unsafe results.withUnsafeMutableBufferPointer { results in
                    try unsafe isDone.withUnsafeMutableBufferPointer { isDone in
                        nonisolated(unsafe) let rows = unsafe Rows(
                            matrix: matrix, spare: spare, chosen: chosen, columns: columns)
                        nonisolated(unsafe) let (results, isDone) = unsafe (results, isDone)
                        do {
                            // Every tile is taken by one thread, so every row that is there once has one writer.
                            try forEach(count: tiles, threads: threads, workspace: workspace) { index, own in
                                let range = range(index)
                                unsafe rows.prefetch(range)
                                try prepare(range, &own)
                                unsafe rows.copy(range)
                                var copies = unsafe MutableSpan(
                                    _unsafeElements: part(rows.spare, range, columns))
                                var part = unsafe MutableSpan(
                                    _unsafeElements: part(results, range, resultColumns))
                                try change(range, &copies, &part, &own)
                                unsafe rows.exchange(range)
                                unsafe isDone[index] = true
                            }
                        } catch {
                            for index in 0..<tiles {
                                if unsafe isDone[index] { unsafe rows.exchange(range(index)) }
                            }
                            throw error
                        }
                    }
                }
            }
        }
    }

    // Some rows of a matrix.
    private static func part<T>(
        _ matrix: UnsafeMutableBufferPointer<T>, _ rows: Range<Int>, _ columns: Int
    ) -> UnsafeMutableBufferPointer<T> {
        unsafe UnsafeMutableBufferPointer(
            rebasing: matrix[rows.lowerBound * columns..<rows.upperBound * columns])
    }

    // Rows of a matrix and as many copies.
    @unsafe private struct Rows {
        let matrix: UnsafeMutableBufferPointer<Double>
        let spare: UnsafeMutableBufferPointer<Double>
        let chosen: [Int]
        let columns: Int

        private func row(_ i: Int) -> UnsafeMutablePointer<Double> {
            unsafe matrix.baseAddress! + chosen[i] * columns
        }

        func prefetch(_ range: Range<Int>) {
            for i in range { unsafe ck_prefetch(row(i), columns * MemoryLayout<Double>.stride) }
        }

        func copy(_ range: Range<Int>) {
            let copies = unsafe spare.baseAddress!
            for i in range { unsafe (copies + i * columns).update(from: row(i), count: columns) }
        }

        func exchange(_ range: Range<Int>) {
            let columns = unsafe columns
            for i in range {
                let (row, copy) = unsafe (row(i), spare.baseAddress! + i * columns)
                for j in 0..<columns {
                    let number = unsafe row[j]
                    unsafe row[j] = copy[j]
                    unsafe copy[j] = number
                }
            }
        }
    }
}
