import AttentionProbes
@testable import Probes
import TestSupport
import Testing

@Suite("NaN and infinity")
struct NonFiniteTests {
    private static let values: [Float] = [.nan, .infinity, -.infinity]
    private static let types = ElementType.allCases

    private func set(_ token: Int, _ value: Float, length: Int = 5, width: Int = 3) throws -> ActivationSet {
        let count = 8
        let place = (3 * length + token) * width + 1
        let numbers = randomFloats(count * length * width, seed: 1).enumerated().map {
            $0 == place ? value : $1
        }
        let batch = try RaggedBatch(
            tokens: TokenMatrix(numbers, columns: width), offsets: (0...count).map { $0 * length })
        return try ActivationSet([ActivationFile(batch, targets: .classes((0..<count).map { $0 % 2 }))])
    }

    private func probe(_ kind: ProbeKind, width: Int = 3) -> Probe {
        let configuration = ProbeConfiguration(kind, units: 4)
        let tensors = configuration.architecture(width: width, outputs: 1).tensors
        // Weights of 0 hide nothing either.
        return Probe(
            configuration, width: width, task: .binary(classes: ["a", "b"]),
            parameters: Array(repeating: 0, count: tensors.parameterCount))
    }

    // Also where a probe does not look: `last` at any token but the last.
    @Test(arguments: ProbeKind.allCases, values)
    func everyKindFindsThemInEveryToken(kind: ProbeKind, value: Float) throws {
        for token in 0..<5 {
            let data = try set(token, value)
            let place = "tensor hidden_states, sequence 3, token \(token), dimension 1"
            func check(_ what: String, _ body: () throws -> Void) {
                let error = #expect(throws: DataError.self, "\(what), token \(token)", performing: body)
                #expect(
                    error?.rule == .nonFinite && error?.place == place,
                    "\(what): \(String(describing: error))")
            }
            check("scores") { _ = try probe(kind).scores(data) }
            check("several probes") {
                _ = try ProbeSet([probe(.last), probe(kind)]).scores(data, threads: 2)
            }
            check("evaluate") { _ = try probe(kind).evaluate(data) }
            for standardizes in [true, false] {
                var options = TrainingOptions.suited(to: kind, try data.task())
                // Hidden in every epoch, the token is in the file all the same.
                (options.standardizes, options.epochs, options.tokenDropout) = (standardizes, 1, 0.99)
                check("fit") {
                    _ = try Trainer(ProbeConfiguration(kind, units: 4), options: options).fit(data)
                }
            }
        }
    }

    // However they are stored, wherever in a long row or tile, also of rows that tiles do not share.
    @Test(arguments: types, [1, 7, 16, 40, 3000]) func aLookAtStoredStates(type: ElementType, width: Int)
        throws
    {
        let rows = 5
        let patterns: [[UInt8]] =
            switch type {
            case .f32: [[0, 0, 0xc0, 0x7f], [0, 0, 0x80, 0x7f], [0, 0, 0x80, 0xff], [1, 0, 0x80, 0x7f]]
            case .f16: [[0, 0x7e], [0, 0x7c], [0, 0xfc], [1, 0x7c]]
            case .bf16: [[0xc0, 0x7f], [0x80, 0x7f], [0x80, 0xff], [0x81, 0xff]]
            case .f8E4M3: [[0x7f], [0xff]]
            case .f8E5M2: [[0x7c], [0xfc], [0x7d], [0xff]]
            }
        // The largest finite number, everywhere else.
        let finite: [UInt8] =
            switch type {
            case .f32: [0xff, 0xff, 0x7f, 0xff]
            case .f16: [0xff, 0xfb]
            case .bf16: [0x7f, 0xff]
            case .f8E4M3: [0xfe]
            case .f8E5M2: [0xfb]
            }
        let folder = try TemporaryFolder()
        func isFinite(_ place: Int?, _ pattern: [UInt8], offset: Int) throws -> Bool {
            var bytes = [UInt8](repeating: 0, count: offset) + (0..<rows * width).flatMap { _ in finite }
            if let place {
                let start = offset + place * type.size
                bytes.replaceSubrange(start..<start + type.size, with: pattern)
            }
            let path = try folder.write(bytes, to: "states")
            let tokens = TokenMatrix(
                file: try ByteSource(path: path), offset: offset, elementType: type, rows: rows,
                columns: width)
            var scratch: [Float] = []
            return try RaggedBatch(tokens: tokens, offsets: [0, rows])[0].isFinite(scratch: &scratch)
        }
        // At addresses that are multiples of a number's size, and at others.
        #expect(try isFinite(nil, [], offset: 0) && isFinite(nil, [], offset: 1))
        for (i, pattern) in patterns.enumerated() {
            for place in Set([0, width / 2, width - 1, 3 * width + width / 3, rows * width - 1 - i % width]) {
                #expect(try !isFinite(place, pattern, offset: 0), "\(place)")
                #expect(try !isFinite(place, pattern, offset: 1), "\(place)")
            }
        }
    }

    // Sequences that meet the values together: the first that is bad is named, whether it is its tokens or its outputs that are,
    // and those before it are scored.
    @Test(arguments: [(17, 30), (30, 17)]) func ofAGroup(overflowing: Int, infinite: Int) throws {
        let (count, width, outputs) = (40, 16, 12)
        var numbers = randomFloats(count * 2 * width, seed: 1)
        for d in 0..<2 * width { numbers[overflowing * 2 * width + d] = 1e30 }
        numbers[infinite * 2 * width] = .infinity
        let data = try ActivationSet([
            ActivationFile(
                RaggedBatch(
                    tokens: TokenMatrix(numbers, columns: width), offsets: (0...count).map { 2 * $0 }))
        ])
        let configuration = ProbeConfiguration.attention(heads: 2)
        let tensors = configuration.architecture(width: width, outputs: outputs).tensors
        var parameters = [Float](repeating: 0, count: tensors.parameterCount)
        for i in try #require(tensors.range(of: "v.weight")) { parameters[i] = 1e9 }
        let probe = Probe(
            configuration, width: width, task: .regression(outputs: outputs), parameters: parameters)
        var scored = 0
        let error = #expect(throws: DataError.self) {
            try ProbeSet([probe]).forEachScores(data, threads: 1) { scored += $0[0].range.count }
        }
        #expect(error?.place?.contains("sequence \(min(overflowing, infinite))") == true, "\(error!)")
        #expect(error?.rule == (overflowing < infinite ? .overflow : .nonFinite))
        #expect(scored == min(overflowing, infinite))
    }

    // NaN stays where larger numbers follow, and infinity beside its opposite.
    @Test func poolingKeepsThem() throws {
        for width in [1, 16, 19] {
            let rows: [[Float]] = [[5], [.nan], [1], [-9]].map { Array(repeating: $0[0], count: width) }
            var (largest, scratch) = ([Float](repeating: 0, count: width), [Float]())
            try RaggedBatch([rows.flatMap(\.self)], width: width)[0].raiseMagnitudes(
                &largest, scratch: &scratch)
            #expect(largest.allSatisfy { $0.isNaN })
            largest = Array(repeating: 0, count: width)
            try RaggedBatch([rows[0] + rows[3] + rows[2]], width: width)[0]
                .raiseMagnitudes(&largest, scratch: &scratch)
            #expect(largest == Array(repeating: 9, count: width))
            var sums = [Double](repeating: 0, count: width)
            let column: [Float] = [.infinity, -.infinity, 1, 2, 3]
            let opposite = column.flatMap { Array(repeating: $0, count: width) }
            try RaggedBatch([opposite], width: width)[0].addSums(to: &sums, scratch: &scratch)
            #expect(sums.allSatisfy { $0.isNaN })
        }
    }

    // Of a hidden token nothing is asked.
    @Test(arguments: [ProbeKind.last, .mean, .attention]) func hiddenTokensMayBeAnything(kind: ProbeKind)
        throws
    {
        let numbers: [Float] = [.nan, 1, 2]
        let batch = try RaggedBatch(
            tokens: TokenMatrix(numbers, columns: 1), offsets: [0, 3], tokenMask: [false, true, true])
        #expect(
            try probe(kind, width: 1).scores(ActivationSet([ActivationFile(batch)])).logits.storage == [0])
    }

    @Test(arguments: Optimizer.allCases)
    func nonFiniteStatesStopTraining(optimizer: Optimizer) throws {
        var sequences = (0..<8).map { randomFloats(6, seed: $0) }
        sequences[5][3] = .nan
        let set = try ActivationSet([
            ActivationFile(RaggedBatch(sequences, width: 2), targets: .classes([0, 1, 0, 1, 0, 1, 0, 1]))
        ])
        let error = try #require(throws: DataError.self) {
            try Trainer(.attention(heads: 1), options: TrainingOptions(optimizer)).fit(set)
        }
        #expect(error.rule == .nonFinite && error.description.contains("sequence 5, token 1, dimension 1"))
    }

    // A NaN in one of many minibatches must not spread and be found elsewhere first.
    @Test(arguments: [true, false])
    func nonFiniteStatesAreNamedWhereTheyAre(standardizes: Bool) throws {
        var sequences = (0..<200).map { randomFloats(6, seed: $0) }
        sequences[150][4] = .infinity
        let labels = Targets.classes((0..<200).map { $0 % 2 })
        let set = try ActivationSet([ActivationFile(RaggedBatch(sequences, width: 2), targets: labels)])
        var options = TrainingOptions(.adamw)
        (options.standardizes, options.tokenDropout) = (standardizes, 0)
        let error = try #require(throws: DataError.self) {
            try Trainer(.attention(heads: 1), options: options).fit(set)
        }
        #expect(error.description.contains("sequence 150, token 2, dimension 0"), "\(error)")
    }

}
