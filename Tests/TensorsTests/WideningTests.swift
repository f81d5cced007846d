import Tensors
import TestSupport
import Testing

@Suite("f16 and bf16 to float")
struct WideningTests {
    private func widened(_ patterns: [UInt16], as type: ElementType) -> [Float] {
        let bytes = patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        var floats = [Float](repeating: 0, count: patterns.count)
        floats.withPart(0..<patterns.count) { unsafe widen(bytes.span.bytes, as: type, into: &$0) }
        return floats
    }

    private let all = (0...UInt16.max).map { $0 }

    @Test func everyHalf() {
        for (pattern, float) in zip(all, widened(all, as: .f16)) {
            let expected = Float(Float16(bitPattern: pattern))
            #expect(expected.isNaN ? float.isNaN : float.bitPattern == expected.bitPattern)
        }
    }

    @Test func everyBrainFloat() {
        for (pattern, float) in zip(all, widened(all, as: .bf16)) {
            #expect(float.bitPattern == UInt32(pattern) << 16)
        }
    }

    @Test(arguments: 1...40)
    func anyCount(count: Int) {
        let patterns = (0..<count).map { UInt16(truncatingIfNeeded: 0x3c00 + $0 * 37) }
        #expect(widened(patterns, as: .f16) == patterns.map { Float(Float16(bitPattern: $0)) })
    }

    // A float tensor may start at any byte of a file; then it is copied.
    @Test func unalignedFloatsAreCopied() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([0] + floatBytes(1.5, -2, 3.25, 4), to: "odd")
        let matrix = TokenMatrix(
            file: try MappedFile(path: path), offset: 1, elementType: .f32, rows: 2, columns: 2)
        var scratch: [Float] = []
        let row = matrix.withRows(1..<2, scratch: &scratch) { [$0[0], $0[1]] }
        #expect(row == [3.25, 4])
    }
}
