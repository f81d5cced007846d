import AttentionProbes
import Foundation
import Glibc
import TestSupport
import Testing

/// Counts how often files of a folder are opened, by whichever process.
private struct OpenCounter: ~Copyable {
    private let descriptor = inotify_init1(Int32(IN_NONBLOCK))

    init(_ folder: String) throws {
        // Between two openings a reading or closing keeps the system from taking both for one.
        let watch = unsafe inotify_add_watch(
            descriptor, folder, UInt32(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE))
        try #require(watch >= 0)
    }

    deinit { close(descriptor) }

    /// By name, since it was asked last.
    func counts() -> [String: Int] {
        var counts: [String: Int] = [:]
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return counts }
            // Of each event: watch, mask, cookie, and the length of the name that follows.
            var start = 0
            while start < count {
                func number(_ place: Int) -> Int {
                    (0..<4).reduce(0) { $0 | Int(bytes[start + place + $1]) << (8 * $1) }
                }
                let end = start + 16 + number(12)
                let name = String(decoding: bytes[start + 16..<end].prefix { $0 != 0 }, as: UTF8.self)
                if number(4) & Int(IN_OPEN) != 0, !name.isEmpty { counts[name, default: 0] += 1 }
                start = end
            }
        }
    }
}

@Suite("Files are opened once")
struct OpeningTests {
    @Test func byInspectAndProbesByScore() throws {
        let folder = try TemporaryFolder()
        // More than is held of what opening has read.
        let states = randomFloats(6 * 400, seed: 3).flatMap { floatBytes($0) }
        let flat = LiteralActivations().with("hidden_states", "F32", [3, 800], states)
        let data = try folder.write(flat.file, to: "flat.safetensors")
        _ = try folder.write(
            literalSafetensors([
                ("hidden_states", "F32", [2, 3, 400], states), ("token_ids", "I64", [2], integerBytes(5, 6)),
            ]), to: "dump.safetensors")
        _ = try folder.write(literalNumPy("'<f4'", "(3, 800)", states), to: "one.npy")
        let names = ["a.safetensors", "b.safetensors"]
        for (seed, name) in names.enumerated() {
            try Probe(
                .attention(heads: 2), width: 800, task: .binary(classes: ["no", "yes"]),
                parameters: randomFloats(800 * 4 + 4, seed: UInt64(seed))
            ).write(to: folder(name))
        }
        let counter = try OpenCounter(folder.path)
        let inspected = try Command.run("inspect", folder.path, "--json")
        #expect(inspected.status == 0, "\(inspected.error)")
        #expect(
            counter.counts() == [
                "a.safetensors": 1, "b.safetensors": 1, "dump.safetensors": 1, "flat.safetensors": 1,
                "one.npy": 1,
            ])
        let scored = try Command.run("score", folder(names[0]), folder(names[1]), data)
        #expect(scored.status == 0, "\(scored.error)")
        let counts = counter.counts()
        #expect(names.map { counts[$0] } == [1, 1])
    }
}
