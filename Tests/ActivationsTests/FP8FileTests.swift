import AttentionProbes
import TestSupport
import Testing

@Suite("Files of FP8")
struct FP8FileTests {
    static let types = ["e4m3", "e5m2"]

    private let folder: TemporaryFolder
    private let probe = Probe(
        .attention(heads: 2), width: 2, task: .binary(classes: ["0", "1"]),
        parameters: randomFloats(12, seed: 3))

    init() throws { folder = try TemporaryFolder() }

    // What torch makes of the bytes and scales of the recorded files, in float32.
    private func expected(_ type: String) throws -> ActivationSet {
        try ActivationSet(paths: [RecordedFile.path("float8-\(type).safetensors")])
    }

    private func bits(_ set: ActivationSet) -> [[UInt32]] {
        var scratch: [Float] = []
        return set.indices.map { index in
            set[index].withTokens(0..<set[index].count, scratch: &scratch) { tokens in
                tokens.indices.map { tokens[$0].bitPattern }
            }
        }
    }

    private func expectEqual(_ set: ActivationSet, _ expected: ActivationSet, _ name: String) throws {
        #expect(bits(set) == bits(expected), "\(name)")
        let (scores, wanted) = try (probe.scores(set), probe.scores(expected))
        #expect(scores.logits == wanted.logits && scores.entropies == wanted.entropies, "\(name)")
        #expect(try set.finiteSequences(threads: 2) == Array(set.indices))
    }

    @Test(arguments: types, ["flat-TYPE.safetensors", "padded-TYPE.safetensors", "scaled-TYPE.pt"])
    func scaleAToken(type: String, pattern: String) throws {
        let name = pattern.replacing("TYPE", with: type)
        let set = try ActivationSet(paths: [RecordedFile.path(name)])
        let elements = set.files[0].batch.tokens.elementType
        #expect(elements == (type == "e4m3" ? .f8E4M3 : .f8E5M2))
        #expect(set.files[0].form.name.hasSuffix(", FP8 with a scale a token"))
        try expectEqual(set, expected(type), name)
        #expect(try set.targets == expected(type).targets)
        // As they are, with their scales.
        try set.write(to: folder("copy"))
        let copy = try ActivationSet(paths: [folder("copy")])
        #expect(copy.storedType == elements)
        try expectEqual(copy, expected(type), name)
        try copy.write(to: folder("floats"), as: .f32)
        try expectEqual(ActivationSet(paths: [folder("floats")]), expected(type), name)
    }

    // The layers of a request share their token's scale; copied, they keep the bits.
    @Test(arguments: types)
    func requests(type: String) throws {
        let paths = (0..<3).map { RecordedFile.path("request-\(type)-\($0).safetensors") }
        for layers in [[1], [1, 0]] {
            let set = try ActivationSet(paths: paths, layers: layers)
            #expect(set.files[0].form.name == "vLLM hidden states of one request, FP8 with a scale a token")
            #expect(set.files[0].layerCount == 2 && set.storedType != .f32)
            let second = set.taking(columns: [0..<2])
            if layers.count == 1 { try expectEqual(second, expected(type), "layer 1") }
            #expect(try bits(second) == bits(expected(type)))
            try set.write(to: folder("copy"))
            #expect(try bits(ActivationSet(paths: [folder("copy")])) == bits(set))
            try set.write(to: folder("floats"), as: .f32)
            #expect(try bits(ActivationSet(paths: [folder("floats")])) == bits(set))
        }
    }

    @Test func withoutScalesTheyAreOne() throws {
        let set = try ActivationSet(paths: [RecordedFile.path("list-f8.pt")])
        #expect(set.files[0].form.name == "list of tensors in .pt, FP8 without scales")
        #expect(bits(set).flatMap(\.self) == RecordedFile.values.map(\.bitPattern))
    }

    // Layers in files of their own have scales of their own: side by side they are read, and copied as floats.
    @Test func layersWithScalesOfTheirOwn() throws {
        for (layer, type) in [(3, "F8_E4M3"), (5, "F8_E4M3")] {
            let file = LiteralActivations().without("labels")
                .with("hidden_states", type, [3, 2], [0x38, 0x40, 0xB8, 0x01, 0x7E, 0])
                .with("hidden_states_scales", "F32", [3], floatBytes(1, Float(layer), 0.3))
                .described(
                    by: #"{"format":"attention-probes/activations","version":"1","layer":"\#(layer)"}"#)
            _ = try folder.write(file.file, to: "\(layer).safetensors")
        }
        let paths = [folder("3.safetensors"), folder("5.safetensors")]
        let set = try ActivationSet(paths: paths, layers: [3, 5])
        let states: [Float] = [
            1, 2, 1, 2, -3, 3 * 0x1p-9, -5, 5 * 0x1p-9, 448 * 0.3, 0, 448 * 0.3, 0,
        ]
        #expect(bits(set).flatMap(\.self) == states.map(\.bitPattern))
        #expect(set.storedType == .f32)
        try set.write(to: folder("copy"))
        #expect(try bits(ActivationSet(paths: [folder("copy")])) == bits(set))
        try set.write(to: folder("again"), as: .f8E4M3)
        let again = try ActivationSet(paths: [folder("again")])
        #expect(again.files[0].batch.tokens.scales(0..<3) == [2 / 448, 5 / 448, Float(448) * 0.3 / 448])
        for layer in [3, 5] {
            let one = try ActivationSet(paths: paths, layers: [layer])
            let columns = layer == 3 ? 0..<2 : 2..<4
            #expect(bits(one) == bits(set.taking(columns: [columns])) && one.storedType == .f8E4M3)
        }
    }

    @Test(arguments: [
        ("F8_E4M3", "F16", [3], [0, 0, 0, 0, 0, 0], "tensor hidden_states_scales: expected F32, found F16"),
        (
            "F8_E4M3", "F32", [2], floatBytes(1, 1),
            "expected shape [3], a scale a token, or the same with ones behind, found shape [2]"
        ),
        ("F8_E4M3", "F32", [3, 2], floatBytes(1, 1, 1, 1, 1, 1), "with ones behind, found shape [3, 2]"),
        ("F8_E4M3", "F32", [1, 3], floatBytes(1, 1, 1), "with ones behind, found shape [1, 3]"),
        ("F8_E4M3", "F32", [3], floatBytes(1, 0, 1), "found 0.0 of token 1"),
        ("F8_E4M3", "F32", [3], floatBytes(1, 1, -2), "found -2.0 of token 2"),
        ("F8_E4M3", "F32", [3], floatBytes(.nan, 1, 1), "found nan of token 0"),
        ("F8_E5M2", "F32", [3], floatBytes(1, .infinity, 1), "found inf of token 1"),
        (
            "F8_E4M3", "F32", [3], floatBytes(1, 1, 1e36),
            "expected a scale above 0 with which F8_E4M3 is finite, at most 7.595588e+35, found 1e+36 of token 2"
        ),
        (
            "BF16", "F32", [3], floatBytes(1, 1, 1),
            "expected it beside states of F8_E4M3 or F8_E5M2 only, found BF16"
        ),
    ])
    func wrongScales(states: String, type: String, shape: [Int], bytes: [UInt8], words: String) throws {
        let size = states == "BF16" ? 2 : 1
        let file = LiteralActivations()
            .with("hidden_states", states, [3, 2], Array(repeating: 0x38, count: 6 * size))
            .with("hidden_states_scales", type, shape, bytes)
        let path = try folder.write(file.file, to: "bad.safetensors")
        let error = try #require(throws: DataError.self) { try ActivationSet(paths: [path]) }
        #expect(error.description.hasPrefix("\(path): tensor hidden_states_scales: "))
        #expect(error.description.contains(words), "\(error)")
    }

    // Scales of padding count for nothing, those of tokens all.
    @Test(arguments: [true, false]) func scalesOfPadding(hasMask: Bool) throws {
        func open(_ scales: [UInt8]) throws -> ActivationSet {
            let mask = hasMask ? "attention_mask" : "seq_lens"
            let file = literalSafetensors([
                ("hidden_states", "F8_E4M3", [2, 2, 1], [0x38, 0x7F, 0x38, 0x38]),
                ("hidden_states_scales", "F32", [2, 2, 1], scales),
                (mask, "U8", hasMask ? [2, 2] : [2], hasMask ? [1, 0, 1, 1] : [1, 2]),
            ])
            return try ActivationSet(paths: [folder.write(file, to: "padded.safetensors")])
        }
        for padding in [0, Float.nan, -1, .infinity] {
            #expect(
                try bits(open(floatBytes(3, padding, 4, 5)))
                    == [[3], [4, 5]].map { $0.map(\Float.bitPattern) })
            let error = try #require(throws: DataError.self) { try open(floatBytes(3, 1, 4, padding)) }
            #expect(
                error.place == "scales of hidden states, row 1, position 1" && error.found == "\(padding)")
        }
    }

    // A byte that is no number is named as any NaN is.
    @Test func noNumbers() throws {
        let file = LiteralActivations()
            .with("hidden_states", "F8_E4M3", [3, 2], [0x38, 0x38, 0x38, 0x38, 0xFF, 0x38])
            .with("hidden_states_scales", "F32", [3], floatBytes(1, 2, 3))
        let set = try ActivationSet(paths: [folder.write(file.file, to: "nan.safetensors")])
        #expect(try set.finiteSequences(threads: 1) == [0])
        let error = try #require(throws: DataError.self) { try probe.scores(set) }
        #expect(error.rule == .nonFinite)
        #expect(error.place == "tensor hidden_states, sequence 1, token 1, dimension 0")
    }

    // Training and scores know only the states: the same numbers, however they are stored.
    @Test func trainingHasTheSameBits() throws {
        let data = try needleSet(count: 60)
        try data.write(to: folder("f8"), as: .f8E4M3)
        let small = try ActivationSet(paths: [folder("f8")])
        try small.write(to: folder("f32"), as: .f32)
        let floats = try ActivationSet(paths: [folder("f32")])
        var options = TrainingOptions(.adamw)
        options.epochs = 4
        func fit(_ set: ActivationSet) throws -> [Float] {
            try Trainer(.attention(heads: 2), options: options).fit(set).probe.parameters
        }
        #expect(try fit(small) == fit(floats))
    }

    // Each token's largest magnitude is kept, and others to 2^-4 of it or a unit of the least exponent.
    @Test func rounding() throws {
        let data = try needleSet(count: 30, width: 24)
        try data.write(to: folder("f8"), as: .f8E4M3)
        let copy = try ActivationSet(paths: [folder("f8")])
        #expect(copy.storedType == .f8E4M3)
        var (a, b): ([Float], [Float]) = ([], [])
        for index in data.indices {
            data[index].withTokens(0..<data[index].count, scratch: &a) { before in
                copy[index].withTokens(0..<copy[index].count, scratch: &b) { after in
                    for start in stride(from: 0, to: before.count, by: 24) {
                        let most = (start..<start + 24).map { abs(before[$0]) }.max()!
                        for i in start..<start + 24 {
                            let bound = max(abs(before[i]) * 0x1.0001p-4, most / 448 * 0x1.0001p-10)
                            #expect(abs(before[i] - after[i]) <= bound)
                            if abs(before[i]) == most { #expect(abs(after[i] / before[i] - 1) < 1e-6) }
                        }
                    }
                }
            }
        }
        // Again, and nothing changes.
        try copy.write(to: folder("again"), as: .f8E4M3)
        #expect(try bits(ActivationSet(paths: [folder("again")])) == bits(copy))
    }
}
