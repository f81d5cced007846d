import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Writing activations")
struct WritingTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func whole(_ type: String = "F32", _ bytes: [UInt8] = floatBytes(1, 2, 3, 4, 5, 6)) throws
        -> String
    {
        let file = LiteralActivations().with("hidden_states", type, [3, 2], bytes)
            .with("groups", "I64", [2], integerBytes(4, 9)).with("weights", "F32", [2], floatBytes(0.5, 3))
            .with("token_mask", "BOOL", [3], [1, 0, 1])
            .with("token_ids", "I32", [3], [7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0])
            .with("token_text", "U8", [6], Array("abécd".utf8))
            .with("token_text_offsets", "I64", [4], integerBytes(0, 1, 4, 6))
            .with("sequence_ids", "U8", [3], Array("xyz".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 3))
            .described(
                by:
                    #"{"format":"attention-probes/activations","version":"1","classes":"[\"no\",\"yes\"]","model":"m"}"#
            )
        return try folder.write(file.file, to: "in")
    }

    // Signalling NaNs and all: the bits stay.
    @Test(arguments: [
        ("F32", [0, 0, 0x80, 0x7F, 1, 0, 0xA0, 0x7F, 0, 0, 0, 0x80]),
        ("F16", [1, 0x7C, 0, 0x80, 0xFF, 0xFB]),
        ("BF16", [0x81, 0x7F, 1, 0, 0x80, 0xFF]),
        ("F8_E4M3", [0x7F, 0xFF, 0x80]), ("F8_E5M2", [0x7D, 0x80, 0xFC]),
    ])
    func keepsTheBits(type: String, pattern: [UInt8]) throws {
        let path = try whole(type, pattern + pattern)
        let out = folder("out")
        try ActivationSet(paths: [path]).write(to: out)
        let file = try Safetensors.open(path: out)
        #expect(file.file.bytes(file.tensors["hidden_states"]!.bytes) == pattern + pattern)
        #expect(file.tensors["hidden_states"]?.type == type)
    }

    @Test func keepsAllThatIsKnown() throws {
        let set = try ActivationSet(paths: [whole()])
        try set.selecting([1, 0]).write(to: folder("out"))
        let copy = try ActivationSet(paths: [folder("out")])
        #expect(copy.targets == .classes([1, 0]) && copy.classes == ["no", "yes"] && copy.groups == [9, 4])
        #expect(copy.weights == [3, 0.5])
        #expect(copy.id(0) == "yz" && copy.id(1) == "x" && copy.files[0].metadata["model"] == "m")
        #expect(copy.tokenText(0, position: 0) == "bé" && copy.tokenText(0, position: 1) == "cd")
        #expect(copy.tokenText(1, position: 0) == "a")
        #expect(copy[0].count == 1 && copy[0].position(0) == 1 && copy.length(0) == 2)
        let file = try Safetensors.open(path: folder("out"))
        #expect(file.integers(file.tensors["token_ids"]!) == [8, 9, 7])
    }

    @Test(
        arguments: [
            (ElementType.f16, Float(65519), nil), (.f16, 65520, "65520"),
            (.bf16, Float(bitPattern: 0x7F7F_7FFF), nil),
            (.bf16, .greatestFiniteMagnitude, "3.4028"), (.f16, -.infinity, nil), (.bf16, .nan, nil),
        ] as [(ElementType, Float, String?)])
    func overflow(type: ElementType, value: Float, words: String?) throws {
        let path = try whole("F32", floatBytes(1, 2, 3, 4, 5, value))
        let set = try ActivationSet(paths: [path])
        guard let words else {
            try set.write(to: folder("out"), as: type)
            var scratch: [Float] = []
            let copy = try ActivationSet(paths: [folder("out")])
            let found = copy[1].withTokens(0..<1, scratch: &scratch) { $0[1] }
            #expect(value.isNaN ? found.isNaN : found == value || (value.isFinite && found.isFinite))
            return
        }
        let error = try #require(throws: DataError.self) { try set.write(to: folder("out"), as: type) }
        #expect(error.rule == .overflow && error.found.contains(words))
        #expect(error.place == "tensor hidden_states, sequence 1 (yz), token 1, dimension 1")
        #expect(try folder.names == ["in"])
    }

    @Test func samplesAndShards() throws {
        let set = try needleSet(count: 50, width: 4)
        #expect(set.sample(20, seed: 1) == set.sample(20, seed: 1))
        #expect(
            set.sample(20, seed: 1) != set.sample(20, seed: 2) && set.sample(99, seed: 1) == Array(0..<50))
        let shards = set.shards(of: 2000)
        #expect(shards.first?.lowerBound == 0 && shards.last?.upperBound == 50)
        #expect(zip(shards, shards.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        for shard in shards {
            #expect(shard.count == 1 || shard.reduce(0) { $0 + set.length($1) * 16 } <= 2000)
        }
        #expect(set.shards(of: 1).count == 50)
    }

    // Large enough to be copied from a mapping, and in pieces of it.
    @Test func largeFiles() throws {
        let set = try needleSet(count: 3000, width: 64)
        try set.write(to: folder("a"))
        try ActivationSet(paths: [folder("a")]).write(to: folder("b"))
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: folder("a")))
                == Data(contentsOf: URL(fileURLWithPath: folder("b"))))
        let order = Array((0..<3000).filter { $0 % 7 != 3 }.reversed())
        try ActivationSet(paths: [folder("a")]).selecting(order).write(to: folder("c"), as: .bf16)
        let copy = try ActivationSet(paths: [folder("c")])
        var (a, b): ([Float], [Float]) = ([], [])
        for index in [0, 17, order.count - 1] {
            let rounded = set[order[index]].withTokens(0..<set.length(order[index]), scratch: &a) {
                narrow($0, as: .bf16)
            }
            let found = copy[index].withTokens(0..<copy.length(index), scratch: &b) { narrow($0, as: .bf16) }
            #expect(rounded == found)
        }
    }
}
