import AttentionProbes
import TestSupport
import Testing

/// A form that the library does not know: `embeddings` T×D and the `lengths` of the sequences.
private struct LengthsReader: ActivationReader {
    func recognises(_ file: TensorFile) -> Bool { file.tensors["lengths"] != nil }

    func form(of file: TensorFile) -> ActivationForm { ActivationForm("activations with lengths") }

    func open(_ file: TensorFile, layers: [Int]?, allowsEmpty: Bool) throws(DataError) -> ActivationLayout {
        let states = try file.require("embeddings", types: ["F32"], dimensions: 2)
        let lengths = file.integers(try file.require("lengths", types: ["I64"], dimensions: 1))
        let tokens = TokenMatrix(
            file: file.file, offset: states.bytes.lowerBound, elementType: .f32, rows: states.shape[0],
            columns: states.shape[1])
        do {
            let offsets = lengths.reduce(into: [0]) { $0.append($0.last! + $1) }
            return ActivationLayout(
                batch: try RaggedBatch(tokens: tokens, offsets: offsets, allowsEmpty: allowsEmpty),
                tokenShape: [states.shape[0]])
        } catch {
            throw DataError(error, file.path)
        }
    }
}

@Suite("A reader from outside")
struct OtherReaderTests {
    @Test func opensAFormOfItsOwnBesideTheOthers() throws {
        let folder = try TemporaryFolder()
        let known = try folder.write(LiteralActivations().described(by: "{}").file, to: "known.safetensors")
        let other = try folder.write(
            LiteralActivations().without("hidden_states").without("offsets").described(by: "{}")
                .with("embeddings", "F32", [3, 2], floatBytes(1, 2, 3, 4, 5, 6))
                .with("lengths", "I64", [2], integerBytes(1, 2)).file, to: "other.safetensors")
        #expect(
            try #require(throws: DataError.self) { try ActivationSet(paths: [other]) }.rule == .missingTensor)

        let set = try ActivationSet(paths: [folder.path], readers: [LengthsReader()] + activationReaders)
        #expect(set.files.map(\.form.name) == ["activations", "activations with lengths"])
        #expect(set.targets == .classes([0, 1, 0, 1]) && set.indices.map(set.length) == [1, 2, 1, 2])
        var scratch: [Float] = []
        #expect(set[3].withTokens(0..<2, scratch: &scratch) { [$0[0], $0[3]] } == [3, 6])
        let copy = folder("copy")
        try set.write(to: copy)
        #expect(try ActivationSet(paths: [copy]).targets == set.targets && known == set.files[0].path)

        let cut = try folder.write(
            LiteralActivations().with("embeddings", "F32", [3, 2], floatBytes(1, 2, 3, 4, 5, 6))
                .with("lengths", "I64", [2], integerBytes(1, 1)).file, to: "cut")
        let error = try #require(throws: DataError.self) {
            try ActivationSet(paths: [cut], readers: [LengthsReader()] + activationReaders)
        }
        #expect(error.rule == .offsets && error.path == cut)
    }
}
