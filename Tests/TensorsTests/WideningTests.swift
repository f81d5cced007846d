import AttentionProbes
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

    private func narrowed(_ floats: [Float], as type: ElementType) -> [UInt16] {
        let bytes = narrow(floats.span, as: type)
        return floats.indices.map { UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 }
    }

    // Every value, and the floats around the middle between it and the next.
    @Test func narrowingToHalfRoundsToEven() {
        for pattern in all where Float16(bitPattern: pattern).isFinite {
            let value = Float(Float16(bitPattern: pattern))
            let middle = (value + Float(Float16(bitPattern: pattern &+ 1))) / 2
            let floats = [value, middle, middle.nextUp, middle.nextDown].filter { $0.isFinite }
            #expect(narrowed(floats, as: .f16) == floats.map { Float16($0).bitPattern }, "\(pattern)")
        }
        let special: [Float] = [65519, 65520, -1e30, .infinity, -.infinity, .leastNonzeroMagnitude, -1e-8]
        #expect(narrowed(special, as: .f16) == special.map { Float16($0).bitPattern })
        #expect(Float16(bitPattern: narrowed([.nan], as: .f16)[0]).isNaN)
    }

    @Test func narrowingToBrainFloatRoundsToEven() {
        #expect(
            narrowed(widened(all, as: .bf16).filter { !$0.isNaN }, as: .bf16)
                == all.filter { $0 & 0x7fff <= 0x7f80 })
        let patterns: [UInt32] = [
            0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f81_7fff, 0x7f7f_ffff, 0x7f80_0001,
        ]
        let floats = patterns.map { Float(bitPattern: $0) }
        #expect(narrowed(floats, as: .bf16) == [0x3f80, 0x3f82, 0x3f81, 0x3f81, 0x7f80, 0x7fc0])
    }

    @Test(arguments: 0...40)
    func anyCount(count: Int) {
        let patterns = (0..<count).map { UInt16(truncatingIfNeeded: 0x3c00 + $0 * 37) }
        #expect(widened(patterns, as: .f16) == patterns.map { Float(Float16(bitPattern: $0)) })
    }

    // A float tensor may start at any byte of a file; then it is copied.
    @Test func unalignedFloatsAreCopied() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([0] + floatBytes(1.5, -2, 3.25, 4), to: "odd")
        let matrix = TokenMatrix(
            file: try ByteSource(path: path), offset: 1, elementType: .f32, rows: 2, columns: 2)
        var scratch: [Float] = []
        let row = matrix.withRows(1..<2, scratch: &scratch) { [$0[0], $0[1]] }
        #expect(row == [3.25, 4])
    }
}
