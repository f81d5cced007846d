import AttentionProbes
import TestSupport
import Testing

@Suite("attnprobe convert to other types")
struct ConvertTypesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func fp8InShards() throws {
        let arguments = [
            "convert", Command.example("injection-test"), "--dtype", "f8", "--shard-size", "1MB", "--out",
            folder("f8"),
        ]
        let first = try Command.start(arguments).wait()
        #expect(first.status == 0 && first.error.contains("of 384 F8_E4M3"), "\(first.error)")
        let again = try Command.start(arguments + ["--resume"]).wait()
        #expect(again.status == 0 && again.error.contains("kept"), "\(again.error)")
        let said = try Command.run("inspect", folder("f8")).output
        #expect(
            said.contains("activations, FP8 with a scale a token")
                && said.contains("hidden_states_scales  F32"))
    }

    // Several chunks, tiles that end within sequences, and a sequence longer than a chunk, to a file and to
    // a pipe, which takes bytes in their order only.
    @Test func everyElementAtItsPlace() throws {
        let (width, lengths) = (77, [1, 9000, 3, 700, 12000, 1, 2500, 4000, 60])
        let values = randomFloats(lengths.reduce(0, +) * width, seed: 3)
        let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        for (from, to) in [
            (ElementType.f32, "bf16"), (.f16, "f32"), (.bf16, "f16"), (.f16, "bf16"), (.f32, "f8"),
            (.f8E5M2, "f8"), (.f8E4M3, "f16"),
        ] {
            let stored = narrow(values.span, as: from)
            let file = literalSafetensors(
                [
                    ("offsets", "I64", [offsets.count], offsets.flatMap { integerBytes($0) }),
                    ("hidden_states", from.rawValue, [offsets.last!, width], stored),
                ], metadata: #"{"format":"attention-probes/activations","version":"1"}"#)
            let input = try folder.write(file, to: "input.safetensors")
            let line = """
                mkfifo pipe; cat pipe > copied & \(Command.tool.path) convert \(input) --dtype \(to) \
                --out pipe --threads 4 --quiet && wait $!
                """
            let piped = try Command.run("/bin/sh", ["-c", "rm -f pipe; " + line], in: folder.path)
            #expect(piped.status == 0, "\(piped.error)")
            let result = try Command.run(
                "convert", input, "--dtype", to, "--out", folder("whole"), "--threads", "4", "--quiet")
            #expect(result.status == 0, "\(result.error)")
            let type = to == "f8" ? .f8E4M3 : try #require(ElementType(rawValue: to.uppercased()))
            let before = try ActivationSet(paths: [input])[0].tokens
            var scratch: [Float] = []
            var expected = [UInt8](repeating: 0, count: values.count * type.size)
            let scales = before.withRows(0..<offsets.last!, scratch: &scratch) {
                narrow($0, columns: width, as: type, into: &expected, at: 0)
            }
            for name in ["whole.safetensors", "copied"] {
                let written = try Safetensors.open(path: folder(name))
                let states = try #require(written.tensors["hidden_states"])
                #expect(written.file.bytes(states.bytes) == expected, "\(from) to \(to), \(name)")
                #expect((written.tensors["hidden_states_scales"].map(written.floats) ?? []) == scales)
            }
        }
    }
}
