// Some columns of hidden states, in place: of several layers side by side those of one.

extension TokenMatrix {
    /// Rows of so many floats in memory, of which some columns are the matrix's.
    struct Held: Sendable {
        let values: [Float]
        let stride: Int
        let columns: [Range<Int>]

        // Where these rows are, if all their columns are the matrix's.
        func whole(_ range: Range<Int>) -> Range<Int>? {
            columns == [0..<stride] ? range.lowerBound * stride..<range.upperBound * stride : nil
        }
    }

    /// Some columns of every row, side by side in the order given, in place. O(pieces).
    ///
    /// - Precondition: there is one, and all are columns of the matrix.
    package func columns(_ ranges: [Range<Int>]) -> TokenMatrix {
        precondition(
            ranges.contains { !$0.isEmpty }
                && ranges.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= columns },
            "columns \(ranges) of \(columns)")
        let count = ranges.reduce(0) { $0 + $1.count }
        let own = held.map { held in
            let places = held.columns
            let chosen = places.map(\.count).parts(ranges).map { part, own in
                places[part].lowerBound + own.lowerBound..<places[part].lowerBound + own.upperBound
            }
            return Held(values: held.values, stride: held.stride, columns: chosen.joined)
        }
        return TokenMatrix(
            self, columns: count, own,
            blocks.map { block in
                let chosen = block.pieces.map(\.columns).parts(ranges).map { part, own in
                    let piece = block.pieces[part]
                    return Piece(
                        piece.file, offset: piece.offset + own.lowerBound * elementType.size,
                        stride: piece.stride, columns: own.count, scales: piece.scales)
                }
                return Block(block.rows, chosen, elementType.size)
            })
    }
}

extension [Int] {
    // Of parts that are so long and follow each other, those that ranges lie in, and where in them.
    fileprivate func parts(_ ranges: [Range<Int>]) -> [(part: Int, range: Range<Int>)] {
        var result: [(part: Int, range: Range<Int>)] = []
        for range in ranges {
            var start = 0
            for (part, length) in enumerated() {
                let own = range.clamped(to: start..<start + length)
                if !own.isEmpty { result.append((part, own.lowerBound - start..<own.upperBound - start)) }
                start += length
            }
        }
        return result
    }
}

extension [Range<Int>] {
    // The same with ranges as one that follow each other.
    fileprivate var joined: [Range<Int>] {
        reduce(into: []) { joined, next in
            if let last = joined.last, last.upperBound == next.lowerBound {
                joined[joined.count - 1] = last.lowerBound..<next.upperBound
            } else {
                joined.append(next)
            }
        }
    }
}
