import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Swim probes on the command line")
struct SwimTests {
    private let folder: TemporaryFolder
    private let data: String

    init() throws {
        folder = try TemporaryFolder()
        data = folder("data.safetensors")
        try needleSet(count: 40, width: 4, needles: 3).write(to: data)
    }

    @Test func isTrainedSavedAndScored() throws {
        for options in [[], ["--smoothing", "ema", "--decay", "0.4"]] {
            let run = try Command.start(
                ["train", data, "--kind", "swim", "--window", "3", "--out", folder("probe"), "--json"]
                    + options
            ).wait()
            #expect(run.status == 0, "\(run)")
            let probe = try Probe(path: folder("probe"))
            #expect(probe.configuration.smoothing == (options.isEmpty ? .mean : .ema))
            #expect(probe.configuration.decay == (options.isEmpty ? 0.12 : 0.4))
            #expect(probe.configuration.window == 3 && probe.configuration.temperature == 1)
            let scored = try Command.run("evaluate", folder("probe"), data, "--bootstrap", "0")
            #expect(scored.status == 0, "\(scored)")
        }
    }

    @Test func optionsThatItDoesNotTake() throws {
        func refused(_ words: String, _ options: [String]) throws {
            let run = try Command.start(["train", data, "--out", folder("none")] + options).wait()
            #expect(run.status == 64 && run.error.contains(words), "\(run)")
            #expect(!FileManager.default.fileExists(atPath: folder("none")))
        }
        try refused(
            "--decay: expected it only with --kind ema, or with --smoothing ema",
            ["--kind", "swim", "--decay", "0.5"])
        try refused(
            "--smoothing: expected it only with --kind swim", ["--kind", "ema", "--smoothing", "ema"])
        try refused("The value 'sum' is invalid for '--smoothing", ["--kind", "swim", "--smoothing", "sum"])
        let batch = try randomBatch(lengths: [1, 2, 3], width: 4, seed: 1)
        let three = folder("three.safetensors")
        try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 2]))]).write(to: three)
        let run = try Command.run(
            "train", three, "--kind", "swim,mean", "--select", "--folds", "2", "--out", folder("none"))
        #expect(
            run.status == 64
                && run.error.contains(
                    "--kind: expected swim only with a binary or multilabel task, found multiclass"),
            "\(run)")
        // Without a selection the data are named.
        try expectFailure(
            65, "expected labels of a task that a swim probe can do, found multiclass", in: folder,
            ["train", three, "--kind", "swim", "--out", folder("none"), "--quiet"])
    }
}
