import Foundation
import TestSupport
import Testing

/// Keys of one JSON object.
func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
}

@Suite("The tool on the examples")
struct ExamplesTests {
    private let train = Command.example("injection-train")
    private let test = Command.example("injection-test")

    @Test func trainEvaluateScore() throws {
        let folder = try TemporaryFolder()
        let probe = folder("probe.safetensors")
        let trained = try Command.run("train", train, "--out", probe, "--json")
        #expect(trained.status == 0, "\(trained.error)")
        #expect(try object(trained.output)["training_sequences"] as? Int == 200)
        #expect(trained.error.contains("epoch 30/30") && trained.error.contains("binary: benign, injection"))

        let evaluated = try Command.run("evaluate", probe, test, "--json", "--documents", "2")
        let figures = try object(evaluated.output)
        let auroc = try #require(figures["auroc"] as? Double)
        #expect(auroc >= 0.86)
        for name in ["accuracy", "average_precision", "f1", "recall_at_1_fpr", "loss"] {
            #expect(try (0...1.5).contains(#require(figures[name] as? Double)), "\(name)")
        }
        #expect((figures["entropy_ratio"] as? [Double])?.count == 8)
        let documents = try #require(figures["documents"] as? [[String: Any]])
        #expect(documents.count == 2 && (documents[0]["tokens"] as? [Any])?.count == 8)
        let table = try Command.run("evaluate", probe, test, "--documents", "2").output
        #expect(table.contains("AUROC") && table.contains("label \\ predicted"))
        #expect(table.split(separator: "\n").allSatisfy { $0.count <= 80 })

        let rows = try Command.run("score", probe, test).output.split(separator: "\n")
        #expect(rows.count == 100)
        let row = try object(String(rows[0]))
        #expect(row["id"] as? String == "libcgi-application-plugin-configauto-perl+ab-054")
        #expect((row["logits"] as? [Double])?.count == 1 && (row["probabilities"] as? [Double])?.count == 1)
        #expect(["benign", "injection"].contains(row["label"] as? String))
    }

    @Test func attentionBeatsTheMean() throws {
        let folder = try TemporaryFolder()
        func auroc(_ kind: String) throws -> Double {
            let probe = folder(kind)
            #expect(try Command.run("train", train, "--kind", kind, "--out", probe, "--quiet").status == 0)
            return try #require(
                try object(Command.run("evaluate", probe, test, "--json").output)["auroc"] as? Double)
        }
        let (attention, mean, last) = (try auroc("attention"), try auroc("mean"), try auroc("last"))
        #expect(mean > 0.8 && last > 0.65 && attention > mean + 0.04, "\(attention) \(mean) \(last)")
    }

    @Test func theSameSeedGivesTheSameFile() throws {
        let folder = try TemporaryFolder()
        func file(_ name: String, _ arguments: [String]) throws -> Data {
            let status = try Command.start(
                ["train", train, "--out", folder(name), "--quiet", "--epochs", "3"] + arguments
            ).wait().status
            #expect(status == 0)
            return try Data(contentsOf: URL(fileURLWithPath: folder(name)))
        }
        let reference = try file("a", ["--threads", "1"])
        #expect(try file("b", ["--threads", "2"]) == reference)
        #expect(try file("c", ["--threads", "2", "--seed", "1"]) != reference)
    }

    @Test func everyScoreFormat() throws {
        let folder = try TemporaryFolder()
        let probe = folder("probe")
        #expect(try Command.run("train", train, "--kind", "mean", "--out", probe, "--quiet").status == 0)
        for name in ["scores.jsonl", "scores.csv", "scores.safetensors"] {
            let result = try Command.run("score", probe, test, "--out", folder(name))
            #expect(result.status == 0 && result.output.isEmpty)
        }
        let lines = try String(contentsOfFile: folder("scores.jsonl"), encoding: .utf8).split(separator: "\n")
        let csv = try String(contentsOfFile: folder("scores.csv"), encoding: .utf8).split(separator: "\r\n")
        #expect(csv[0] == "id,logit,probability,label" && csv.count == 101)
        let first = try object(String(lines[0]))
        let logit = try #require((first["logits"] as? [Double])?.first)
        #expect(Float(csv[1].split(separator: ",")[1]) == Float(logit))
        let inspected = try Command.run("inspect", folder("scores.safetensors"))
        #expect(inspected.status == 0 && inspected.output.contains("attention-probes/scores"))
        #expect(try folder.names == ["probe", "scores.csv", "scores.jsonl", "scores.safetensors"])
    }

    @Test func inspectBothKindsOfFile() throws {
        let folder = try TemporaryFolder()
        #expect(
            try Command.run("train", train, "--kind", "last", "--out", folder("p"), "--quiet").status == 0)
        let text = try Command.run("inspect", train, folder("p")).output
        #expect(
            text.contains("200 sequences, 12300 tokens of 384 BF16")
                && text.contains("benign 100, injection 100"))
        #expect(text.contains("kind") && text.contains("last"))
        let files = try #require(
            try object(Command.run("inspect", train, "--json").output)["files"] as? [[String: Any]])
        #expect((files[0]["activations"] as? [String: Any])?["nonfinite_sequences"] as? Int == 0)
    }

    @Test(.timeLimit(.minutes(2)))
    func interruptSavesTheBestProbeSoFar() throws {
        let folder = try TemporaryFolder()
        let running = try Command.start(["train", train, "--out", folder("probe"), "--epochs", "100000"])
        let deadline = Date(timeIntervalSinceNow: 60)
        while !running.error.contains("epoch"), Date() < deadline { usleep(20_000) }
        running.interrupt()
        let result = running.wait()
        #expect(result.status == 130)
        #expect(result.error.contains("interrupted: saved"))
        #expect(try Command.run("evaluate", folder("probe"), test).status == 0)
    }

    @Test func helpHasExamples() throws {
        for command in ["train", "score", "evaluate", "compare", "report", "convert", "inspect"] {
            let help = try Command.run(command, "--help")
            #expect(help.status == 0 && help.output.contains("attnprobe \(command) "))
            #expect(help.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
            // The field's words: fraction and metric.
            #expect(try help.output.firstMatch(of: Regex("(?i)\\b(shares?|figures?)\\b")) == nil)
        }
    }
}
