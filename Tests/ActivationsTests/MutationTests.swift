import AttentionProbes
@testable import Activations
import Foundation
import TestSupport
import Testing

/// Files with bytes that were changed, which are an error or another file, and never a fault. `MUTATIONS` in the environment
/// says how many of each.
@Suite("Files with changed bytes")
struct MutationTests {
    private static let count = ProcessInfo.processInfo.environment["MUTATIONS"].flatMap { Int($0) } ?? 300
    // What is read beside a file, or in a folder, and the file of it that is opened.
    private static let opened = [
        "X-y.npy": "X.npy",
        "probelab/offsets.bin": "probelab/meta.json", "probelab/detection_mask.bin": "probelab/meta.json",
        "probelab/layer_6.bin": "probelab/meta.json", "probelab/meta.json": "probelab/meta.json",
        "pressure/activations/0a1b2c3d_11.pt": "pressure/activations/0a1b2c3d_11.pt",
        "pressure/attention_masks/0a1b2c3d.pt": "pressure/activations/0a1b2c3d_11.pt.zst",
        "pressure/input_ids/0a1b2c3d.pt": "pressure/activations/0a1b2c3d_11.pt.zst",
        "pressure/manifest.json": "pressure/activations/0a1b2c3d_11.pt.zst",
        "llama/tokens/llamacpp-model-embeddings-tokens.bin": "llama/tokens/llamacpp-model-embeddings.bin",
    ]
    // Archives that libzip unpacks are files, too.
    private static let archives: Set = ["ids.npz", "Xy.npz", "float8-e5m2.npz"]

    @Test(arguments: [
        "list-f16.pt", "list-f64.pt", "pair.pt", "pairs.pt", "rows.pt", "protocol4.pth", "padded.pt",
        "lengths.pt",
        "conversation.pt", "views.pt", "pooled.pt", "object.pt", "big.pt", "X.npy", "X-y.npy", "bfloat16.npy",
        "fortran.npy", "ids.npz", "Xy.npz", "list-f8.pt", "scaled-e4m3.pt", "flat-e4m3.safetensors",
        "padded-e5m2.safetensors", "request-e4m3-2.safetensors", "float8-e5m2.npy", "float8-e5m2.npz",
        "list.pt.zst", "frames.pt.zst", "array.npy.zst", "lmprobe-0.safetensors", "probelab/meta.json",
        "probelab/offsets.bin", "probelab/detection_mask.bin", "probelab/layer_6.bin",
        "pressure/activations/0a1b2c3d_11.pt", "pressure/attention_masks/0a1b2c3d.pt",
        "pressure/input_ids/0a1b2c3d.pt", "pressure/manifest.json",
        "87_glue_cola_blocks.9.hook_resid_post.pt", "llama/tokens/llamacpp-model-embeddings.bin",
        "llama/tokens/llamacpp-model-embeddings-tokens.bin",
    ])
    func areNoFault(name: String) throws {
        let whole = try Self.whole(name)
        var generator = SeededGenerator(seed: name.utf8.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
        let folder = try TemporaryFolder()
        var (read, refused) = (0, 0)
        let isInFile = Self.opened[name] != nil || Self.archives.contains(name)
        for _ in 0..<(isInFile ? min(Self.count, 20000) : Self.count) {
            let bytes = Self.mutated(whole, using: &generator)
            do {
                let file =
                    isInFile
                    ? try Self.file(name, bytes, in: folder)
                    : try TensorFile.opened(ByteSource(copying: bytes, name: RecordedFile.path(name)))
                try Self.read(file)
                read += 1
            } catch is DataError {
                refused += 1
            }
        }
        // What a manifest says is not needed.
        let mayBeAll = name == "pressure/manifest.json"
        #expect(read + refused > 0 && (refused > 0 || mayBeAll), "\(name): \(read) read, \(refused) refused")
    }

    // The bytes that are changed: of a packed part of a store those that it holds.
    private static func whole(_ name: String) throws -> [UInt8] {
        guard !FileManager.default.fileExists(atPath: RecordedFile.path(name)) else {
            return try RecordedFile.bytes(name)
        }
        let unpacked = try ZstdFile.unpacked(ByteSource(path: RecordedFile.path(name + ".zst")))
        return unpacked.bytes(0..<unpacked.count)
    }

    // A file on disk with changed bytes, or where those are another's beside it the one that is opened.
    private static func file(_ name: String, _ bytes: [UInt8], in folder: TemporaryFolder) throws
        -> TensorFile
    {
        guard let opened = opened[name] else { return try TensorFile(path: folder.write(bytes, to: "file")) }
        let root = String(opened.prefix { $0 != "/" })
        if FileIdentity(path: folder(root)) == nil {
            try FileManager.default.copyItem(atPath: RecordedFile.path(root), toPath: folder(root))
            try? FileManager.default.removeItem(atPath: folder(name + ".zst"))
        }
        _ = try folder.write(bytes, to: name)
        return try TensorFile(InputFile.named(folder(opened)))
    }

    // Some bytes or numbers of four bytes that are others, a part that is gone, or one that is there twice.
    private static func mutated(_ whole: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0:
                bytes.removeSubrange(
                    place..<min(bytes.count, place + 1 + Int.random(in: 0..<40, using: &generator)))
            case 1: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 20)], at: place)
            case 2:
                for k in place..<min(bytes.count, place + 4) {
                    bytes[k] = [0, 0xFF].randomElement(using: &generator)!
                }
            case 3: bytes[place] = PickleOpcode.all.randomElement(using: &generator)!
            case 4: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            default: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
            }
            if bytes.isEmpty { bytes = [0] }
        }
        return bytes
    }

    // All that is read of a file, in every form that may be asked for.
    private static func read(_ file: TensorFile) throws(DataError) {
        let layers = ActivationFile.layers(of: file)
        let asked: [[any ActivationReader]] = [
            [], [PooledReader(isAsked: true)], [LlamaEmbeddingsReader(isPooled: true)],
            [LlamaEmbeddingsReader(isPooled: false)],
        ]
        var fault: DataError?
        for readers in asked.map({ $0 + activationReaders }) {
            do {
                let set = try ActivationSet([ActivationFile(file, layers: layers, readers: readers)])
                var scratch: [Float] = []
                for index in set.indices {
                    _ = set[index].isFinite(scratch: &scratch)
                    set[index].withTokens(0..<set[index].count, scratch: &scratch) { _ in }
                    _ = (set.id(index), set.tokenText(index, position: 0))
                }
                _ = try? set.task()
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
    }
}

extension PickleOpcode {
    fileprivate static let all = (UInt8.min ... .max).filter { PickleOpcode(rawValue: $0) != nil }
}
