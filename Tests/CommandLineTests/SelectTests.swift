import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("train --select")
struct SelectTests {
    private let train = Command.example("injection-train")
    private let test = Command.example("injection-test")
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func choosesCalibratesAndStoresScores() throws {
        let probe = folder("probe.safetensors")
        let run = try Command.run(
            "train", train, "--select", "--kind", "mean,last", "--l2", "0.01,0.1", "--folds", "4", "--fpr",
            "0.1", "--max-rows", "0", "--out", probe, "--json")
        #expect(run.status == 0 && run.error.contains("groups whole"), "\(run)")
        let report = try object(run.output)
        #expect(try #require(report["candidates"] as? [[String: Any]]).count == 4)
        #expect(try folder.names.sorted() == ["probe.out-of-fold.jsonl", "probe.safetensors"])

        let rows = try String(contentsOfFile: folder("probe.out-of-fold.jsonl"), encoding: .utf8)
            .split(separator: "\n").map { try object(String($0)) }
        #expect(rows.count == 200 && Set(rows.compactMap { $0["fold"] as? Int }) == [0, 1, 2, 3])
        // The figure of the table is that of the stored scores, fold by fold.
        let areas = (0..<4).map { fold in
            let own = rows.filter { $0["fold"] as? Int == fold }
            return RankingCurve(
                scores: own.map { Float(($0["logits"] as! [NSNumber])[0].doubleValue) },
                isPositive: own.map { $0["label"] as? String == "injection" }
            ).auroc!
        }
        let score = try #require(report["score"] as? Double)
        #expect(abs(areas.reduce(0, +) / 4 - score) < 1e-6)

        // The threshold is in the probe, and score uses it and the calibration.
        let saved = try Probe(path: probe)
        let rule = try #require(saved.thresholdRule)
        #expect(saved.calibration != nil && rule.bound <= 0.1 && saved.threshold != 0.5)
        let negatives = rows.filter { $0["label"] as? String == "benign" }
            .map { ($0["probabilities"] as! [NSNumber])[0].doubleValue }
        #expect(negatives.count { $0 >= saved.threshold } == rule.falsePositives)
        let scores = try Command.run("score", probe, test).output.split(separator: "\n")
        for line in scores.prefix(20) {
            let row = try object(String(line))
            let logit = Float((row["logits"] as! [NSNumber])[0].doubleValue)
            let probability = (row["probabilities"] as! [NSNumber])[0].floatValue
            #expect(abs(probability - saved.calibration!(logit)) < 1e-6)
            #expect((row["label"] as? String == "injection") == (Double(probability) >= saved.threshold))
        }
    }

    // Two probes that look at different places of a document: their sum does better than either.
    @Test func anEnsembleIsTrainedCalibratedAndShown() throws {
        let probe = folder("probe.safetensors")
        let run = try Command.run(
            "train", train, "--select", "--kind", "mean,last", "--l2", "0.01,0.1", "--folds", "4", "--fpr",
            "0.1", "--out", probe, "--json")
        #expect(run.status == 0, "\(run)")
        let candidates = try #require(try object(run.output)["candidates"] as? [[String: Any]])
        let chosen = try #require(candidates.first { $0["chosen"] as? Bool == true })
        let parts = try #require(chosen["parts"] as? [[String: Any]])
        let pooled = candidates.compactMap { $0["pooled"] as? Double }
        #expect(candidates.count == 5 && pooled.count == 5 && chosen["pooled"] as? Double == pooled.max())

        let saved = try Probe(path: probe)
        #expect(saved.configuration.kind == .ensemble && saved.parts.count == parts.count)
        #expect(saved.partWeights == parts.compactMap { ($0["weight"] as? NSNumber)?.floatValue })
        #expect(saved.parts.allSatisfy { $0.training["training_sequences"] == "200" })
        let rows = try String(contentsOfFile: folder("probe.out-of-fold.jsonl"), encoding: .utf8)
            .split(separator: "\n").map { try object(String($0)) }
        let negatives = rows.filter { $0["label"] as? String == "benign" }
            .map { ($0["probabilities"] as! [NSNumber])[0].doubleValue }
        let rule = try #require(saved.thresholdRule)
        #expect(negatives.count { $0 >= saved.threshold } == rule.falsePositives)

        let shown = try Command.run("inspect", probe).output
        #expect(
            shown.contains("ensemble of ") && shown.contains(" × mean") && shown.contains(" × last"),
            "\(shown)")
        #expect(try Command.run("evaluate", probe, test).status == 0)
        #expect(
            try Command.run("score", probe, test, "--tokens", "--out", folder("t.safetensors")).status == 0)
        let page = folder("page.html")
        #expect(try Command.run("report", probe, test, "--out", page).status == 0)
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains(" × last"))
    }

    @Test func onlySecondsDifferBetweenRuns() throws {
        let probes = try ["one", "two"].map { name in
            let run = try Command.run(
                "train", train, "--select", "--kind", "mean", "--folds", "2", "--out", folder(name))
            #expect(run.status == 0, "\(run)")
            return try Probe(path: folder(name))
        }
        let notes = probes.map {
            $0.training.texts.mapValues { $0.replacing(/"seconds":[0-9.e-]+/, with: "") }
        }
        #expect(try #require(notes[0]["selection"]).contains("mean") && notes[0] != probes[0].training.texts)
        #expect(notes[0] == notes[1] && probes[0].calibration == probes[1].calibration)
        #expect(probes[0].parameters == probes[1].parameters)
    }

    @Test func interruptedItGoesOn() throws {
        let arguments = [
            "train", train, "--select", "--kind", "multimax,mean", "--folds", "3", "--average", "1", "--out",
            folder("probe"), "--epochs", "12", "--batch-size", "32", "--json",
        ]
        let running = try Command.start(arguments)
        let deadline = Date(timeIntervalSinceNow: 60)
        while !running.error.contains("training"), Date() < deadline { usleep(10_000) }
        running.interrupt()
        let stopped = running.wait()
        // A machine fast enough may have come to the end.
        if stopped.status == 130 {
            #expect(stopped.error.contains("goes on from here"))
            #expect(try folder.names == ["probe.selection.partial"])
        }
        let rest = try Command.start(arguments).wait()
        #expect(rest.status == 0, "\(rest)")
        #expect(try folder.names.sorted() == ["probe", "probe.out-of-fold.jsonl"])
        let whole = try Command.start(
            arguments.map { $0 == folder("probe") ? folder("again") : $0 }
        ).wait()
        #expect(whole.status == 0)
        #expect(try Probe(path: folder("probe")).parameters == Probe(path: folder("again")).parameters)
    }

    @Test(arguments: [
        (64, "one value without --select", ["--heads", "1,2"]),
        (
            64, "--window: expected a number from 1 to 16777215, found 0",
            ["--select", "--kind", "rolling", "--window", "0"]
        ),
        (64, "a number from 1 to 4096", ["--select", "--kind", "attention", "--heads", "1,5000"]),
        (64, "4096 heads altogether", ["--select", "--kind", "attention", "--heads", "2000"]),
        (
            64, "--metric: expected a metric of a binary task",
            ["--select", "--kind", "mean", "--metric", "r2"]
        ),
        (64, "--folds: expected it only with --select", ["--folds", "3"]),
        (
            64, "--validation-fraction: expected none with --select",
            ["--select", "--validation-fraction", "0.2"]
        ),
        (64, "--heads", ["--select", "--kind", "mean,last", "--heads", "2"]),
        (65, "at least 100 groups", ["--select", "--kind", "mean", "--folds", "100"]),
        (65, "at least 299 negative sequences", ["--select", "--kind", "mean", "--fpr", "0.01"]),
        (
            65, "tensor with a number a sequence (there are: groups, labels), or to be a regular expression",
            ["--select", "--kind", "mean", "--group", "gruops"]
        ),
        (
            64, "--units: expected it only with --kind mlp-attention, multimax or rolling-attention",
            ["--select", "--kind", "mean,last", "--units", "64"]
        ),
        (64, "--k: expected it only with --kind topk", ["--select", "--k", "3"]),
        (
            64, "--window: expected it only with --kind rolling",
            ["--select", "--kind", "mean,softmax", "--window", "9"]
        ),
        (64, "--decay: expected it only with --kind ema", ["--select", "--decay", "0.2"]),
        (
            64, "--average: expected it only with --kind attention",
            ["--select", "--kind", "mean,softmax", "--average", "2"]
        ),
        (
            64, "--token-dropout: expected it only with a kind that reads several tokens",
            ["--select", "--kind", "last", "--optimizer", "adamw", "--token-dropout", "0.1"]
        ),
        (64, "--l2: expected it only with a kind that an optimiser trains", ["--kind", "lda", "--l2", "1"]),
        (
            64, "--epochs: expected it only with a kind",
            ["--select", "--kind", "mass-mean,lda", "--epochs", "9"]
        ),
        (64, "--class-weight: expected it only", ["--kind", "mass-mean", "--class-weight", "balanced"]),
        (64, "--no-standardize: expected it only with a kind", ["--kind", "mass-mean", "--no-standardize"]),
        (
            64, "--patience: expected it only with a kind",
            ["--kind", "lda", "--validation-fraction", "0.2", "--patience", "3"]
        ),
        (
            64, "--out-of-fold: expected another file",
            ["--select", "--kind", "mean", "--out-of-fold", "same"]
        ),
        (74, "nowhere/scores", ["--select", "--kind", "mean", "--out-of-fold", "nowhere/scores"]),
        (
            64, "(there are: groups, labels) or a regular expression, found (",
            ["--select", "--kind", "mean", "--group", "("]
        ),
    ])
    func badInput(status: Int32, words: String, options: [String]) throws {
        let options = options.map { $0 == "same" ? folder("probe") : $0 }
        let result = try Command.start(["train", train, "--out", folder("probe")] + options).wait()
        #expect(result.status == status && result.error.contains(words), "\(result)")
        #expect(try folder.names.isEmpty)
    }

    @Test func anotherSelectionIsNotWrittenOver() throws {
        let journal = folder("probe.selection.partial")
        try Data(#"{"data":"1","folds":3,"seed":0}\#n{"key":"#.utf8).write(to: URL(fileURLWithPath: journal))
        let before = try Data(contentsOf: URL(fileURLWithPath: journal))
        let result = try Command.start(
            [
                "train", train, "--select", "--kind", "mean", "--folds", "3", "--seed", "1", "--out",
                folder("probe"),
            ]
        ).wait()
        #expect(
            result.status == 65 && result.error.contains("with seed 1, found one with seed 0"), "\(result)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: journal)) == before)
        #expect(try folder.names == ["probe.selection.partial"])
    }

    // The grid of regression has no softmax probe, and its targets no classes.
    @Test func optionsOfOtherTasksAreRefused() throws {
        let data = LiteralActivations().with("labels", "F32", [2], floatBytes(0.5, 2))
            .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        try Data(data.file).write(to: URL(fileURLWithPath: folder("data")))
        for (words, options) in [
            ("--temperature: expected it only with --kind softmax", ["--temperature", "3"]),
            ("--class-weight: expected it only with", ["--class-weight", "balanced"]),
            ("--average: expected it only with", ["--hidden", "4", "--average", "2"]),
        ] {
            let result = try Command.start(
                ["train", folder("data"), "--select", "--out", folder("probe")] + options
            ).wait()
            #expect(result.status == 64 && result.error.contains(words), "\(result)")
        }
        #expect(try folder.names == ["data"])
    }

    @Test func groupsComeFromTensorsAndIDs() throws {
        func score(_ options: String...) throws -> Double {
            let result = try Command.start(
                ["train", train, "--select", "--kind", "mean", "--out", folder("probe"), "--json"] + options
            ).wait()
            #expect(result.status == 0, "\(result)")
            return try #require(object(result.output)["score"] as? Double)
        }
        let whole = try score()
        #expect(try score("--group", "groups") == whole)
        // Every sequence a group of its own: the sentences that documents share make it too good.
        #expect(try score("--group", "^(.*)$") > whole + 0.05)
    }
}
