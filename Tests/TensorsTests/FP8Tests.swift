import AttentionProbes
import TestSupport
import Testing

/// FP8 against the values that ml_dtypes gives its bytes (`Recorded/record_float8.py`).
@Suite("FP8 to float and back")
struct FP8Tests {
    static let types: [ElementType] = [.f8E4M3, .f8E5M2]

    private let values: [ElementType: [Float]]
    private let codes = (0...UInt8.max).map { $0 }

    init() throws { values = try Self.recorded() }

    private static func recorded() throws -> [ElementType: [Float]] {
        let bytes = try RecordedFile.bytes("float8.bin")
        var floats = [Float](repeating: 0, count: bytes.count / 4)
        floats.withPart(floats.indices) { unsafe widen(bytes.span.bytes, as: .f32, into: &$0) }
        return [.f8E4M3: Array(floats[..<256]), .f8E5M2: Array(floats[256...])]
    }

    private func matrix(_ bytes: [UInt8], _ type: ElementType, columns: Int, scales: [Float]?) -> TokenMatrix
    {
        TokenMatrix(
            file: ByteSource(copying: bytes, name: "bytes"), offset: 0, elementType: type,
            rows: bytes.count / columns, columns: columns, scales: scales)
    }

    private func floats(_ matrix: TokenMatrix) -> [Float] {
        var scratch: [Float] = []
        return matrix.withRows(0..<matrix.rows, scratch: &scratch) { rows in rows.indices.map { rows[$0] } }
    }

    private func expectSame(_ found: [Float], _ expected: [Float]) {
        #expect(found.count == expected.count)
        for (found, expected) in zip(found, expected) {
            #expect(expected.isNaN ? found.isNaN : found.bitPattern == expected.bitPattern)
        }
    }

    @Test(arguments: types)
    func everyByte(type: ElementType) {
        expectSame(floats(matrix(codes, type, columns: 256, scales: nil)), values[type]!)
    }

    // Powers of two and others, the least float, and the largest with which all numbers are finite.
    @Test(arguments: types, [16, 19, 256])
    func everyByteTimesAScale(type: ElementType, columns: Int) {
        let scales: [Float] = [
            1, 0.25, 1 / 448, 3.1415927, 1e-30, .leastNonzeroMagnitude, 0x1p-140, type.largestScale,
        ]
        let row = codes.prefix(columns)
        let expected = scales.flatMap { scale in row.map { values[type]![Int($0)] * scale } }
        let stored = matrix(scales.flatMap { _ in row }, type, columns: columns, scales: scales)
        expectSame(floats(stored), expected)
        #expect(values[type]!.filter { $0.isFinite }.allSatisfy { ($0 * type.largestScale).isFinite })
        #expect(!values[type]!.filter { $0.isFinite }.allSatisfy { ($0 * type.largestScale.nextUp).isFinite })
    }

    // Bytes of NaN and infinity at any place, and none.
    @Test(arguments: types, [1, 63, 64, 65, 200])
    func onlyNaNAndInfinityAreNotFinite(type: ElementType, columns: Int) throws {
        func isFinite(_ bytes: [UInt8]) throws -> Bool {
            let tokens = matrix(bytes, type, columns: columns, scales: [type.largestScale])
            let batch = try RaggedBatch(tokens: tokens, offsets: [0, 1])
            var scratch: [Float] = []
            return batch[0].isFinite(scratch: &scratch)
        }
        for code in codes {
            for place in Set([0, columns / 2, columns - 1]) {
                var bytes = [UInt8](repeating: 0x3C, count: columns)
                bytes[place] = code
                let found = try isFinite(bytes)
                #expect(found == values[type]![Int(code)].isFinite, "\(code) at \(place)")
            }
        }
    }

    private func narrowed(_ floats: [Float], _ type: ElementType) -> [UInt8] { narrow(floats.span, as: type) }

    // Every number, the middle between it and the next, and the floats beside that.
    @Test(arguments: types)
    func narrowingRoundsToEven(type: ElementType) {
        let finite = codes.filter { $0 < 0x80 && values[type]![Int($0)].isFinite }
        for (code, next) in zip(finite, finite.dropFirst()) {
            let (value, above) = (values[type]![Int(code)], values[type]![Int(next)])
            let middle = (value + above) / 2
            let even = code % 2 == 0 ? code : next
            let floats = [value, middle, middle.nextDown, middle.nextUp]
            #expect(narrowed(floats, type) == [code, even, code, next])
            #expect(narrowed(floats.map { -$0 }, type) == [code, even, code, next].map { $0 | 0x80 })
        }
        let largest = values[type]![Int(finite.last!)]
        let far = [largest * 1.5, -.greatestFiniteMagnitude, .leastNonzeroMagnitude]
        #expect(narrowed(far, type) == [finite.last!, finite.last! | 0x80, 0])
        let special = narrowed([.nan, .infinity, -.infinity], type).map { values[type]![Int($0)] }
        #expect(special[0].isNaN)
        if type == .f8E5M2 {
            #expect(Array(special[1...]) == [.infinity, -.infinity])
        } else {
            #expect(special.allSatisfy { $0.isNaN })
        }
    }

    // The definition: scale = largest magnitude / largest number, byte = nearest to number / scale.
    @Test(arguments: types)
    func tokensGetAScaleEach(type: ElementType) {
        let columns = 100
        var tokens = randomFloats(5 * columns, seed: 21)
        for d in 0..<columns {
            tokens[columns + d] *= 1e30
            tokens[2 * columns + d] *= 0x1p-146
            tokens[3 * columns + d] = 0
        }
        tokens[4 * columns + 7] = .nan
        tokens[4 * columns + 9] = .infinity
        var bytes = [UInt8](repeating: 0, count: 3 + tokens.count)
        let scales = narrow(tokens.span, columns: columns, as: type, into: &bytes, at: 3)
        let largest: Float = type == .f8E4M3 ? 448 : 57344
        let finite = values[type]!.filter { $0.isFinite }
        for row in 0..<5 {
            let token = tokens[row * columns..<(row + 1) * columns]
            let most = token.filter { $0.isFinite }.map(abs).max()!
            #expect(scales[row] == (most == 0 ? 1 : max(most / largest, .leastNonzeroMagnitude)))
            for (number, byte) in zip(token, bytes[(3 + row * columns)...]) where number.isFinite {
                let found = values[type]![Int(byte)]
                let least = finite.map { abs($0 - number / scales[row]) }.min()!
                #expect(abs(found - number / scales[row]) == least)
            }
        }
        #expect(values[type]![Int(bytes[3 + 4 * columns + 7])].isNaN)
        #expect(!values[type]![Int(bytes[3 + 4 * columns + 9])].isFinite)
    }

    // Pieces side by side, each with scales of its own, of which columns are taken; then one below the other.
    @Test func scalesGoWithColumnsAndRows() throws {
        let file = ByteSource(copying: codes.map { $0 & 0x77 }, name: "bytes")
        let scales: [[Float]] = [[1, 2, 3, 4], [5, 6, 7, 8]]
        func piece(_ offset: Int, _ scales: [Float]?) -> TokenMatrix.Piece {
            TokenMatrix.Piece(file, offset: offset, stride: 64, columns: 32, scales: scales)
        }
        let apart = TokenMatrix(
            pieces: [piece(0, scales[0]), piece(32, scales[1])], elementType: .f8E4M3, rows: 4)
        let whole = floats(matrix(codes.map { $0 & 0x77 }, .f8E4M3, columns: 64, scales: nil))
        let expected = whole.indices.map { whole[$0] * scales[$0 % 64 / 32][$0 / 64] }
        expectSame(floats(apart), expected)
        expectSame(
            floats(apart.columns([30..<40])),
            expected.indices.filter { 30..<40 ~= $0 % 64 }.map { expected[$0] })
        #expect(apart.storedType == .f32 && apart.scales(1..<3) == [2, 3, 6, 7])
        #expect(apart.columns([32..<64]).storedType == .f8E4M3)
        let alike = TokenMatrix(
            pieces: [piece(0, scales[0]), piece(32, scales[0])], elementType: .f8E4M3, rows: 4)
        #expect(alike.storedType == .f8E4M3 && alike.scales(1..<3) == [2, 3])
        let plain = matrix(codes.map { $0 & 0x77 }, .f8E4M3, columns: 64, scales: nil)
        #expect(plain.storedType == .f8E4M3 && plain.scales(0..<2) == [1, 1])
        let stacked = TokenMatrix(stacking: [alike, plain])
        expectSame(floats(stacked), floats(alike) + whole)
        #expect(stacked.scales(3..<5) == [4, 1])
        func hash(_ matrix: TokenMatrix) -> UInt64 {
            var (hash, scratch): (DataHash, [UInt8]) = (DataHash(), [])
            hash.add(0..<4, of: matrix, scratch: &scratch)
            return hash.value
        }
        #expect(Set([hash(apart), hash(alike), hash(plain)]).count == 3)
    }
}
