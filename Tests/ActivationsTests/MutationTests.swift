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
    // Archives that libzip unpacks are files.
    private static let inFiles = ["ids.npz", "Xy.npz"]

    @Test(arguments: [
        "list-f16.pt", "list-f64.pt", "pair.pt", "pairs.pt", "rows.pt", "protocol4.pth", "padded.pt",
        "lengths.pt",
        "conversation.pt", "views.pt", "pooled.pt", "object.pt", "big.pt", "X.npy", "X-y.npy", "bfloat16.npy",
        "fortran.npy", "ids.npz", "Xy.npz", "list-f8.pt", "scaled-e4m3.pt", "flat-e4m3.safetensors",
        "padded-e5m2.safetensors", "request-e4m3-2.safetensors",
    ])
    func areNoFault(name: String) throws {
        let whole = try RecordedFile.bytes(name)
        var generator = SeededGenerator(seed: name.utf8.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
        let folder = try TemporaryFolder()
        var (read, refused) = (0, 0)
        for _ in 0..<(Self.inFiles.contains(name) ? min(Self.count, 20000) : Self.count) {
            let bytes = Self.mutated(whole, using: &generator)
            do {
                let file =
                    Self.inFiles.contains(name)
                    ? try ByteSource(path: folder.write(bytes, to: "file"))
                    : ByteSource(copying: bytes, name: name)
                try Self.read(tensorContainer(of: file).open(file))
                read += 1
            } catch is DataError {
                refused += 1
            }
        }
        #expect(read + refused > 0 && refused > 0, "\(name): \(read) read, \(refused) refused")
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

    // All that is read of a file.
    private static func read(_ file: TensorFile) throws(DataError) {
        for readers in [activationReaders, [PooledReader(isAsked: true)] + activationReaders] {
            let set = try ActivationSet([ActivationFile(file, layers: nil, readers: readers)])
            var scratch: [Float] = []
            for index in set.indices {
                _ = set[index].isFinite(scratch: &scratch)
                set[index].withTokens(0..<set[index].count, scratch: &scratch) { _ in }
                _ = set.id(index)
            }
            _ = try? set.task()
        }
    }
}

extension PickleOpcode {
    fileprivate static let all = (UInt8.min ... .max).filter { PickleOpcode(rawValue: $0) != nil }
}
