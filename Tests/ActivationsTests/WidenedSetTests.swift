import AttentionProbes
@testable import Activations
import TestSupport
import Testing

/// Sets of which two layers are stored in half precision and all tokens but each fifth are meant.
@Suite("States widened in memory")
struct WidenedSetTests {
    private let folder: TemporaryFolder
    private let counts = (0..<50).map { 60 + $0 * 37 % 91 }

    init() throws { folder = try TemporaryFolder() }

    // Whole numbers, which half precision has.
    private func state(_ token: Int, _ layer: Int, _ column: Int) -> Float16 {
        Float16((token * 31 + layer * 7 + column) % 2000 - 1000)
    }

    private func set(lost: Int...) throws -> ActivationSet {
        let tokens = counts.reduce(0, +)
        let states = (0..<tokens).flatMap { token in
            (0..<6).flatMap { place -> [UInt8] in
                let number = lost.contains(token) && place == 4 ? .nan : state(token, place / 3, place % 3)
                return [UInt8(number.bitPattern & 0xFF), UInt8(number.bitPattern >> 8)]
            }
        }
        let offsets = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        let file = LiteralActivations().without("labels")
            .with("hidden_states", "F16", [tokens, 2, 3], states)
            .with("offsets", "I64", [offsets.count], offsets.flatMap { integerBytes($0) })
            .with("token_mask", "U8", [tokens], (0..<tokens).map { $0 % 5 == 2 ? 0 : 1 })
            .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        return try ActivationSet(
            paths: [folder.write(file.file, to: "set-\(lost)")], layers: [0, 1])
    }

    @Test(arguments: [1, 2, 5]) func haveTheSameNumbers(threads: Int) throws {
        let set = try set()
        let layers = try set.eachLayer()
        let sets =
            try set.floats(of: layers, threads: threads) + [set.widened(atMost: .max, threads: threads)]
        #expect(try set.widened(atMost: 100, threads: threads).files[0].batch.tokens.elementType == .f16)
        var scratch: [Float] = []
        for (number, widened) in sets.enumerated() {
            let columns = [0..<3, 3..<6, 0..<6][number]
            #expect(widened.count == counts.count && widened.width == columns.count)
            var first = 0
            for index in widened.indices {
                #expect(widened.files[0].batch.tokens.elementType == .f32)
                let places = (first..<first + counts[index]).filter { $0 % 5 != 2 }
                #expect(widened[index].count == places.count)
                for (j, token) in places.enumerated() {
                    widened[index].withTokens(j..<j + 1, scratch: &scratch) { row in
                        for (k, place) in columns.enumerated() {
                            #expect(row[k] == Float(state(token, place / 3, place % 3)))
                        }
                    }
                }
                first += counts[index]
            }
        }
    }

    @Test func nameTheFirstThatIsNotFinite() throws {
        let first = counts[..<45].reduce(0, +)
        let seen = first - first % 5 + 5
        #expect { try set(lost: seen + 300, seen).widened(atMost: .max, threads: 3) } throws: {
            "\($0)".contains("sequence 45")
        }
        // What is masked may be anything.
        #expect(try set(lost: seen + 2).widened(atMost: .max, threads: 3).count == counts.count)
    }
}
