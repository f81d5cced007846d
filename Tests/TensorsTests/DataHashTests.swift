import AttentionProbes
import TestSupport
import Testing

@Suite("Hash of data")
struct DataHashTests {
    private func hash(_ bytes: [UInt8]) -> UInt64 {
        var hash = DataHash()
        hash.add(bytes.span)
        return hash.value
    }

    /// Any bit of any byte, any two bytes exchanged, and any length.
    @Test func everyByteCounts() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 37) }
        var seen: Set = [hash(bytes)]
        var count = 1
        for place in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[place] ^= 1 << bit
                seen.insert(hash(other))
                count += 1
            }
        }
        for place in bytes.indices.dropLast() where bytes[place] != bytes[place + 1] {
            var other = bytes
            other.swapAt(place, place + 1)
            seen.insert(hash(other))
            count += 1
        }
        for length in 0..<200 {
            seen.insert(hash(Array(repeating: 0, count: length)))
            count += 1
        }
        #expect(seen.count == count)
    }

    @Test func whatIsAddedIsNotMovedAcrossBorders() {
        func hash(_ texts: String...) -> UInt64 {
            var hash = DataHash()
            for text in texts { hash.add(text) }
            return hash.value
        }
        #expect(hash("ab", "c") != hash("a", "bc") && hash("abc") != hash("abc", "") && hash() != hash(""))
    }

    /// Rows in memory, in a file, and put together from pieces have one hash; cut into blocks or not.
    @Test func rowsHaveTheHashOfTheirBits() throws {
        let folder = try TemporaryFolder()
        let (rows, columns) = (700, 96)
        let values = randomFloats(rows * columns, seed: 4)
        let path = try folder.write(values.flatMap { floatBytes($0) }, to: "states")
        let file = try ByteSource(path: path)
        let whole = TokenMatrix(file: file, offset: 0, elementType: .f32, rows: rows, columns: columns)
        let pieces = TokenMatrix(
            pieces: [(0, 32), (32, 60), (92, 4)].map {
                TokenMatrix.Piece(file, offset: $0.0 * 4, stride: columns * 4, columns: $0.1)
            }, elementType: .f32, rows: rows)
        func hash(_ matrix: TokenMatrix, _ range: Range<Int>) -> UInt64 {
            var hash = DataHash()
            var scratch: [UInt8] = []
            hash.add(range, of: matrix, scratch: &scratch)
            return hash.value
        }
        let expected = hash(TokenMatrix(values, columns: columns), 0..<rows)
        #expect(hash(whole, 0..<rows) == expected && hash(pieces, 0..<rows) == expected)
        #expect(hash(whole, 0..<rows - 1) != expected && hash(whole, 1..<rows) != expected)
    }
}
