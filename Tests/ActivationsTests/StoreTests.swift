import AttentionProbes
@testable import Activations
import Foundation
import Storage
import TestSupport
import Testing

/// The states of a set, as floats, and where sequences end.
private func contents(_ set: ActivationSet) -> (values: [Float], lengths: [Int]) {
    var (values, scratch): ([Float], [Float]) = ([], [])
    for index in set.indices {
        set[index].withTokens(0..<set[index].count, scratch: &scratch) { tokens in
            values += tokens.indices.map { tokens[$0] }
        }
    }
    return (values, set.indices.map(set.length))
}

@Suite("Stores of other tools, and files that zstd has packed")
struct StoreTests {
    private let folder: TemporaryFolder
    private let values = RecordedFile.values

    init() throws { folder = try TemporaryFolder() }

    private func expect(
        _ set: ActivationSet, _ values: [Float], lengths: [Int] = [2, 1, 3], _ form: String
    ) {
        let found = contents(set)
        #expect(found.values == values && found.lengths == lengths, "\(form)")
        #expect(set.files[0].form.name == form)
    }

    @Test func filesThatZstdHasPacked() throws {
        for name in ["list.pt.zst", "frames.pt.zst"] {
            let set = try ActivationSet(paths: [RecordedFile.path(name)])
            expect(set, values, "list of tensors in .pt")
            #expect(set.targets == .classes([0, 1, 1]))
        }
        let array = try ActivationSet(paths: [RecordedFile.path("array.npy.zst")])
        expect(array, values, lengths: [6], "one sequence in .npy")
        #expect(array.id(0) == "array")
    }

    // From a size on a file takes the place of memory, and what was dropped is unpacked again.
    @Test(arguments: [1 << 20, 100])
    func unpackedBytes(memory: Int) throws {
        let packed = try RecordedFile.bytes("list.pt.zst")
        let source = ByteSource(copying: packed, name: "list.pt.zst")
        let whole = try ZstdFile.unpacked(source, memory: memory)
        let first = whole.bytes(0..<whole.count)
        #expect(first.starts(with: [0x50, 0x4B, 3, 4]))
        var others: [ByteSource] = []
        for _ in 0..<200 { others.append(try ZstdFile.unpacked(source, memory: memory)) }
        #expect(whole.bytes(0..<whole.count) == first)
    }

    @Test func damagedFiles() throws {
        let packed = try RecordedFile.bytes("frames.pt.zst")
        func fault(_ bytes: [UInt8]) throws -> String {
            let path = try folder.write(bytes, to: "bad.pt.zst")
            let error = try #require(throws: DataError.self) { try ActivationSet(paths: [path]) }
            return error.description
        }
        #expect(try fault(Array(packed.dropLast(9))).hasSuffix("found a file that is cut short"))
        #expect(try fault(Array(packed.prefix(6))).contains("expected a file that zstd has packed"))
        var changed = packed
        changed[40] ^= 0xFF
        #expect(try fault(changed).contains("byte "))
        #expect(try fault(packed + [1, 2, 3, 4]).contains("found Unknown frame descriptor"))
        // A frame whose header asks for a window of 2 GB.
        let window: [UInt8] = ZstdFile.mark + [0x00, 21 << 3, 0x01, 0, 0]
        #expect(try fault(window).contains("found Frame requires too much memory"))
    }

    // A block of one byte that stands for many: 128 KB each, in frames that state nothing.
    private func bomb(_ blocks: Int) -> [UInt8] {
        let block = { (isLast: Bool) -> [UInt8] in
            let header = (1 << 17) << 3 | 1 << 1 | (isLast ? 1 : 0)
            return [UInt8(header & 0xFF), UInt8(header >> 8 & 0xFF), UInt8(header >> 16), 0]
        }
        return ZstdFile.mark + [0x00, 10 << 3] + (0..<blocks).flatMap { block($0 == blocks - 1) }
    }

    @Test func bombsAndSizesThatLie() throws {
        let most = ZstdFile.mostOfAny
        let small = ByteSource(copying: bomb(16), name: "small")
        #expect(try ZstdFile.unpacked(small, memory: 1 << 16).count == 2 << 20)
        let large = ByteSource(copying: bomb(most >> 17 + 1), name: "large")
        #expect(throws: ZstdFile.Fault.tooLarge(most)) { try ZstdFile.unpacked(large) }
        // A header that states 1 TB, in a frame of one segment with a size of eight bytes.
        let stated = ZstdFile.mark + [0xE0] + integerBytes(1 << 40) + [1, 0, 0]
        #expect(throws: ZstdFile.Fault.tooLarge(most)) {
            try ZstdFile.unpacked(ByteSource(copying: stated, name: "stated"))
        }
        let lying = ZstdFile.mark + [0xE0] + integerBytes(1 << 27) + [1, 0, 0]
        #expect(throws: ZstdFile.Fault.damaged("fewer bytes than it states", place: lying.count)) {
            try ZstdFile.unpacked(ByteSource(copying: lying, name: "lying"))
        }
    }

    @Test func packedFilesInAFolder() throws {
        for name in ["list.pt.zst", "array.npy.zst"] {
            _ = try folder.write(RecordedFile.bytes(name), to: name)
        }
        #expect(
            try ActivationSet.files(folder.path).map { String($0.dropFirst(folder.path.count + 1)) } == [
                "array.npy.zst", "list.pt.zst",
            ])
        // What is there unpacked too is read so.
        _ = try folder.write(RecordedFile.bytes("list-f32.pt"), to: "list.pt")
        #expect(
            try ActivationSet.files(folder.path).map { String($0.dropFirst(folder.path.count + 1)) } == [
                "array.npy.zst", "list.pt",
            ])
        let archive = try folder.write(
            ZstdFile.mark + [0x20, 30, 0xF1, 0, 0] + [UInt8]("PK\u{3}\u{4}".utf8)
                + Array(repeating: 0, count: 26),
            to: "packed.npz.zst")
        let error = try #require(throws: DataError.self) { try ActivationSet(paths: [archive]) }
        #expect(error.description.contains("expected an .npz as NumPy writes it (zstd -d unpacks it)"))
    }

    @Test func aStoreOfModelsUnderPressure() throws {
        let store = RecordedFile.path("pressure")
        let set = try ActivationSet(paths: [store], layers: [11])
        expect(set, values, "padded activations in .pt")
        #expect(set.layers?.description == "layer 11" && set.tokenText(2, position: 1) == "#16")
        #expect(set.files[0].metadata["model"] == "meta-llama/Llama-3.2-1B-Instruct")
        #expect(set.files[0].metadata["dataset"] == "data/training/prompts.jsonl")
        let both = try ActivationSet(paths: [store + "/activations/"], layers: [20, 11])
        var scratch: [Float] = []
        #expect(
            both[1].withTokens(0..<1, scratch: &scratch) { [$0[0], $0[1], $0[2], $0[3]] } == [50, -60, 5, -6])
        let one = try ActivationSet(paths: [store + "/activations/0a1b2c3d_20.pt.zst"])
        #expect(contents(one).values == values.map { 10 * $0 })
        let error = try #require(throws: DataError.self) { try ActivationSet(paths: [store]) }
        #expect(error.rule == .layers)
        // Labels are in the order of the rows, of whatever ids.
        var columns = LabelTable.Columns()
        (columns.areInOrder, columns.label) = (true, "labels")
        let labelled = try set.labelled(by: LabelTable(path: store + "/prompts.jsonl", columns: columns))
        #expect(
            labelled.set.targets == .classes([1, 0, 0])
                && labelled.set.classes == ["high-stakes", "low-stakes"])
    }

    // What is said of a file is what the manifest says now, also where it was read before.
    @Test func aManifestThatIsWrittenAnew() throws {
        try FileManager.default.copyItem(atPath: RecordedFile.path("pressure"), toPath: folder("store"))
        for model in ["one/first", "another/second"] {
            let text = #"{"rows":[{"activations":"activations/0a1b2c3d_11.pt","model_name":"\#(model)"}]}"#
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder("store/manifest.json")))
            let set = try ActivationSet(paths: [folder("store")], layers: [11])
            #expect(set.files[0].metadata["model"] == model)
        }
    }

    // Of names in any order on the disk the first is taken.
    @Test func theFirstOfAFolder() throws {
        let names = (0..<20).map { "\($0 * 7 % 20 + 10).safetensors" }
        try makeFolder(folder("many"))
        for name in names { _ = try folder.write([], to: "many/" + name) }
        #expect(try ActivationSet.anyFile(folder("many")) == folder("many/10.safetensors"))
    }

    @Test func aMaskThatIsNone() throws {
        let name = "activations/0a1b2c3d_11.pt.zst"
        for part in ["activations", "attention_masks"] { try makeFolder(folder(part)) }
        let path = try folder.write(RecordedFile.bytes("pressure/" + name), to: name)
        _ = try folder.write(RecordedFile.bytes("list.pt.zst"), to: "attention_masks/0a1b2c3d.pt.zst")
        let error = try #require(throws: DataError.self) { try ActivationSet(paths: [path]) }
        #expect(
            error.description.contains(
                "0a1b2c3d.pt.zst: expected a tensor alone, the attention_mask of the activations"), "\(error)"
        )
        // A packed file with names of its own says all of itself.
        let list = try folder.write(RecordedFile.bytes("list.pt.zst"), to: "activations/0a1b2c3d_3.pt.zst")
        #expect(try ActivationSet(paths: [list]).count == 3)
    }

    @Test func activationsOfSAEProbes() throws {
        let path = RecordedFile.path("87_glue_cola_blocks.9.hook_resid_post.pt")
        let pooled = try ActivationSet(
            paths: [path], readers: [PooledReader(isAsked: true)] + activationReaders)
        expect(pooled, values, lengths: Array(repeating: 1, count: 6), "pooled states in .pt")
        var columns = LabelTable.Columns()
        (columns.areInOrder, columns.label) = (true, "target")
        let table = try LabelTable(path: RecordedFile.path("87_glue_cola.csv"), columns: columns)
        #expect(try pooled.labelled(by: table).set.targets == .classes([0, 1, 0, 1, 0, 1]))
        #expect(try pooled.selecting([3, 2]).labelled(by: table).set.targets == .classes([1, 0]))
        let other = try ActivationSet(paths: [RecordedFile.path("alone.pt")])
        let error = try #require(throws: DataError.self) { try other.labelled(by: table) }
        #expect(
            error.description.hasSuffix("expected 3 rows, one for each sequence in their order, found 6"),
            "\(error)")
    }

    @Test func embeddingsOfLlama() throws {
        func read(_ name: String, _ isPooled: Bool?) throws -> ActivationSet {
            try ActivationSet(
                paths: [RecordedFile.path("llama/\(name)")],
                readers: [LlamaEmbeddingsReader(isPooled: isPooled)] + activationReaders)
        }
        let tokens = try read("tokens", false)
        expect(tokens, values, lengths: [6], "llama.cpp's embeddings of one prompt")
        #expect(tokens.tokenText(0, position: 5) == "#12" && tokens.id(0) == "llamacpp-model-embeddings")
        let pooled = try read("pooled", true)
        expect(pooled, [5, -6], lengths: [1], "llama.cpp's pooled embedding of one prompt")
        #expect(pooled.isPooled && !pooled.files[0].hasTokenIDs)
        // Five numbers of three tokens are one vector.
        let odd = try read("odd", nil)
        expect(odd, Array(values[..<5]), lengths: [1], "llama.cpp's pooled embedding of one prompt")
        for (name, isPooled, words) in [
            (
                "tokens", nil,
                "expected --sequence where its numbers are 2 for each of the 6 tokens, or --pooled where they are "
                    + "one vector of 12, found neither"
            ),
            ("odd", false, "found 5 numbers, which are one vector (without --sequence)"),
        ] as [(String, Bool?, String)] {
            let error = try #require(throws: DataError.self) { try read(name, isPooled) }
            #expect(error.description.hasSuffix(words), "\(error)")
        }
    }

    @Test func float8OfNumPy() throws {
        // -11 has no place in E5M2.
        let rounded = values.map { $0 == -11 ? -12 : $0 }
        let set = try ActivationSet(paths: [RecordedFile.path("float8-e5m2.npy")])
        expect(set, rounded, lengths: [6], "one sequence in .npy, FP8 without scales")
        let scaled = try ActivationSet(paths: [RecordedFile.path("float8-e5m2.npz")])
        expect(scaled, rounded, "activations in .npz, FP8 with a scale a token")
        let error = try #require(throws: DataError.self) {
            try ActivationSet(paths: [RecordedFile.path("float8-e4m3.npy")])
        }
        #expect(
            error.description.contains(
                "found <V1, which NumPy writes for float8_e4m3fn and for others alike; in Python: safetensors"
            ),
            "\(error)")
    }
}
