@testable import Tensors
import Storage
import TestSupport
import Testing

@Suite("Some columns of hidden states")
struct ColumnTests {
    private let rows = 7
    private let columns = 12
    private let ranges: [[Range<Int>]] = [
        [0..<12], [3..<5], [0..<4, 4..<8], [8..<12, 0..<4], [2..<3, 11..<12, 0..<1],
    ]

    // In memory, in one file, and in two files side by side of which a piece has other columns between its rows.
    private func bytes(_ value: Float) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
    }

    private func matrices(_ values: [Float]) -> [TokenMatrix] {
        func stored(_ columns: Range<Int>) -> [UInt8] {
            (0..<rows).flatMap { row in columns.flatMap { bytes(values[row * 12 + $0]) } }
        }
        let whole = ByteSource(copying: stored(0..<12), name: "whole")
        let left = ByteSource(copying: stored(0..<5), name: "left")
        return [
            TokenMatrix(values, columns: columns),
            TokenMatrix(file: whole, offset: 0, elementType: .f32, rows: rows, columns: columns),
            TokenMatrix(
                pieces: [
                    TokenMatrix.Piece(left, offset: 0, stride: 20, columns: 5),
                    TokenMatrix.Piece(whole, offset: 20, stride: 48, columns: 7),
                ], elementType: .f32, rows: rows),
        ]
    }

    @Test func areThoseOfTheMatrix() {
        let values = (0..<rows * columns).map { Float($0) }
        for (place, matrix) in matrices(values).enumerated() {
            for ranges in ranges {
                let own = matrix.columns(ranges)
                let expected = (2..<6).flatMap { row in ranges.joined().map { values[row * columns + $0] } }
                var (scratch, found): ([Float], [Float]) = ([], [])
                own.withRows(2..<6, scratch: &scratch) { rows in
                    for i in rows.indices { found.append(rows[i]) }
                }
                #expect(found == expected && own.columns == ranges.joined().count, "\(place) \(ranges)")
                // Of some columns again some.
                let last = own.columns([own.columns - 1..<own.columns])
                var copied = [Float](repeating: 0, count: 1)
                var span = copied.mutableSpan
                last.copyRow(3, into: &span)
                #expect(copied == [values[3 * columns + ranges.last!.last!]])
                var bytes = [UInt8](repeating: 0, count: own.rowSize)
                own.copyRows(4..<5, into: &bytes, at: 0)
                let stored = ranges.joined().flatMap { self.bytes(values[4 * columns + $0]) }
                #expect(bytes == stored)
            }
        }
    }

    @Test func productsAreThoseOfTheColumns() throws {
        let values = randomFloats(rows * columns, seed: 1)
        let weights = randomFloats(2 * 4, seed: 2)
        for matrix in matrices(values) {
            let batch = try RaggedBatch(tokens: matrix, offsets: [0, rows])
            var (found, scratch): ([Float], [Float]) = ([], [])
            Projection(weights[...], rows: 2, width: 4)
                .apply(batch[0].columns([4..<8]), into: &found, scratch: &scratch)
            for r in 0..<2 {
                for j in 0..<rows {
                    let expected = (0..<4).reduce(0.0) {
                        $0 + Double(values[j * columns + 4 + $1]) * Double(weights[r * 4 + $1])
                    }
                    #expect(abs(Double(found[r * rows + j]) - expected) <= 1e-5)
                }
            }
        }
    }
}
