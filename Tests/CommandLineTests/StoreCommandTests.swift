import TestSupport
import Testing

/// Stores of other tools on the command line; what is read of them is in the tests of Activations.
@Suite("Stores of other tools on the command line")
struct StoreCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func storesAreTrainedOn() throws {
        let store = RecordedFile.path("pressure")
        let pressure = try Command.run(
            "train", store, "--layer", "20", "--labels", store + "/prompts.jsonl", "--labels-in-order",
            "--label-column", "labels", "--kind", "mean", "--out", folder("pressure"))
        #expect(pressure.status == 0, "\(pressure)")
        #expect(try Command.run("inspect", folder("pressure")).output.contains("padded activations in .pt"))
        let states = RecordedFile.path("87_glue_cola_blocks.9.hook_resid_post.pt")
        let table = RecordedFile.path("87_glue_cola.csv")
        let sae = try Command.run(
            "train", states, "--pooled", "--labels", table, "--labels-in-order", "--label-column", "target",
            "--out", folder("sae"))
        #expect(sae.status == 0, "\(sae)")
    }

    @Test func embeddingsOfLlamaAreAskedFor() throws {
        let tokens = RecordedFile.path("llama/tokens")
        try expectFailure(65, "expected --sequence where its numbers are 2", in: folder, ["inspect", tokens])
        let asked = try Command.run("inspect", tokens, "--sequence")
        #expect(asked.output.contains("1 sequence, 6 tokens of 2 F32"), "\(asked)")
        let pooled = try Command.run("inspect", tokens, "--pooled")
        #expect(pooled.output.contains("1 sequence, 1 token of 12 F32"), "\(pooled)")
    }

    // The next file that is opened would have the number of what is closed.
    @Test func closedStandardDescriptors() throws {
        let data = try folder.write(LiteralActivations().file, to: "data.safetensors")
        func shell(_ script: String) throws -> CommandResult {
            try Command.run("/bin/bash", ["-c", "'\(Command.tool.path)' \(script)"], in: folder.path)
        }
        let open = try Command.run("inspect", data)
        #expect(try shell("inspect '\(data)' <&-").output == open.output && open.status == 0)
        let table = try shell("train '\(data)' --labels - --kind mean --out probe <&-")
        #expect(
            table.status != 0 && table.error.contains("standard input: Bad file descriptor"), "\(table)")
        let output = try shell("inspect '\(data)' <&- >&-")
        #expect(output.status == 74 && output.error.contains("Bad file descriptor"), "\(output)")
        let error = try shell("inspect '\(data)' <&- 2>&-")
        #expect(error.status == 0 && error.output == open.output, "\(error)")
    }
}
