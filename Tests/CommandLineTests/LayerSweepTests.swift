import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("--layers-each")
struct LayerSweepTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private let signal: [Float] = [0, 1.2, 1.2]

    // Sequences of 3 layers, each token an own number of every layer, to which positive ones have the layer's signal
    // added.
    private func states(_ count: Int, seed: UInt64) -> [[Float]] {
        (0..<count).map { index in
            let length = 3 + index % 4
            let noise = randomFloats(length * 12, seed: seed &+ UInt64(index))
            return noise.indices.map { noise[$0] + (index % 2 == 1 ? signal[$0 / 4 % 3] : 0) }
        }
    }

    // As a server writes them, with labels in a table.
    private func dumps(_ name: String, count: Int, seed: UInt64) throws -> String {
        try FileManager.default.createDirectory(atPath: folder(name), withIntermediateDirectories: true)
        var table = "id,label\n"
        for (index, tokens) in states(count, seed: seed).enumerated() {
            let length = tokens.count / 12
            let id = "d\(1000 + index)"
            _ = try folder.write(
                literalSafetensors([
                    ("hidden_states", "F32", [length, 3, 4], tokens.flatMap { floatBytes($0) }),
                    ("token_ids", "I64", [length], (0..<length).flatMap { integerBytes($0) }),
                ]), to: "\(name)/\(id).safetensors")
            table += "\(id),\(index % 2 == 1 ? "yes" : "no")\n"
        }
        return try folder.write(Array(table.utf8), to: "\(name).csv")
    }

    private let quick = ["--kind", "mean", "--l2", "0.1,1", "--folds", "4"]

    private func run(_ arguments: [String], fails status: Int32 = 0) throws -> CommandResult {
        let result = try Command.start(arguments).wait()
        #expect(result.status == status, "\(arguments): \(result)")
        return result
    }

    private func select(_ name: String, _ more: [String] = []) throws -> CommandResult {
        let labels = try dumps("train", count: 60, seed: 1)
        return try run(
            [
                "train", folder("train"), "--labels", labels, "--select", "--layers-each", "all", "--out",
                folder(name),
            ]
                + quick + more)
    }

    @Test func everyLayerHasARow() throws {
        let json = try object(try select("probe", ["--json", "--max-rows", "0"]).output)
        let layers = try #require(json["layers"] as? [[String: Any]])
        #expect(layers.map { $0["layers"] as? [Int] } == [[0], [1], [2]])
        #expect(layers.map { $0["chosen"] as? Bool } == [false, true, false])
        for row in layers {
            let numbers = try ["low", "value", "high"].map { try #require(row[$0] as? Double) }
            #expect(numbers == numbers.sorted())
            #expect((row["candidates"] as? [[String: Any]])?.count == 2)
        }
        let probe = try Probe(path: folder("probe"))
        #expect(
            probe.width == 4 && probe.training["layer"] == "1" && probe.training["layer_order"] == "stored")
        // The same as of that layer alone.
        _ = try run(
            [
                "train", folder("train"), "--labels", folder("train.csv"), "--select", "--layer", "1",
                "--max-rows", "0",
                "--out", folder("alone"),
            ] + quick)
        let alone = try Probe(path: folder("alone"))
        #expect(alone.parameters == probe.parameters && alone.calibration == probe.calibration)

        let table = try select("again", ["--max-rows", "0"]).output.split(separator: "\n")
        #expect(table.count >= 5 && table.allSatisfy { $0.count <= 80 && !$0.contains("…") })
        #expect(table[3].hasPrefix("* 1 ") && table[1].hasSuffix("best candidate"))
        let page = folder("page.html")
        _ = try run([
            "report", folder("again"), folder("train"), "--labels", folder("train.csv"), "--out", page,
        ])
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains("Cross-validation chose layer 1."))
        #expect(try folder.names.contains("again.out-of-fold.jsonl"))
    }

    @Test func probesOfSeveralLayersScoreDumpsInOnePass() throws {
        _ = try dumps("train", count: 60, seed: 1)
        for layer in ["0", "2"] {
            _ = try run([
                "train", folder("train"), "--labels", folder("train.csv"), "--layer", layer, "--kind", "mean",
                "--out",
                folder("of\(layer).safetensors"),
            ])
        }
        let (first, last) = (folder("of0.safetensors"), folder("of2.safetensors"))
        let both = try run(["score", last, first, folder("train"), "--format", "csv"])
        #expect(both.error.contains("took layers 0,2 as stored, as the probes were trained on"))
        let rows = both.output.split(separator: "\r\n").map { $0.split(separator: ",") }
        for (place, probe) in [(1, last), (4, first)] {
            let alone = try run(["score", probe, folder("train"), "--format", "csv"]).output
                .split(separator: "\r\n").map { $0.split(separator: ",") }
            #expect(rows.map { $0[place] }.dropFirst() == alone.map { $0[1] }.dropFirst())
        }
        let tokens = try run(["score", last, first, folder("train"), "--tokens"], fails: 64)
        #expect(tokens.error.contains("--tokens: expected probes of the same layers"))
        // Of the layers that a file has side by side, a probe sees its own.
        _ = try run(["convert", folder("train"), "--layers", "2,0,1", "--out", folder("wide")])
        let wide = try run(["score", last, folder("wide.safetensors"), "--format", "csv"])
        #expect(
            wide.output.split(separator: "\r\n").map { $0.split(separator: ",")[1] }.dropFirst()
                == rows.map { $0[1] }.dropFirst())
    }

    @Test func filesOfOneLayerEachAreSelectedAndCompared() throws {
        let labels = try dumps("train", count: 60, seed: 1)
        _ = try dumps("test", count: 40, seed: 900)
        for name in ["train", "test"] {
            try FileManager.default.createDirectory(
                atPath: folder("\(name)-layers"), withIntermediateDirectories: true)
            for layer in 0..<3 {
                _ = try run([
                    "convert", folder(name), "--layer", "\(layer)", "--labels", folder("\(name).csv"),
                    "--out",
                    folder("\(name)-layers/\(layer)"),
                ])
            }
        }
        _ = labels
        let files = try run(
            [
                "train", folder("train-layers"), "--select", "--layers-each", "0,2", "--out", folder("files"),
                "--json",
            ]
                + quick)
        let layers = try #require(object(files.output)["layers"] as? [[String: Any]])
        #expect(layers.prefix(2).map { $0["layers"] as? [Int] } == [[0], [2]])

        let arguments = [
            "compare", folder("train-layers"), "--test", folder("test-layers"), "--layers-each", "all",
            "--kind",
            "mean,last", "--l2", "0.1", "--folds", "4", "--bootstrap", "50",
        ]
        let table = try run(arguments).output.split(separator: "\n")
        #expect(table.allSatisfy { $0.count <= 80 })
        let json = try object(run(arguments + ["--json", "--report", folder("page.html")]).output)
        let set = try #require((json["data_sets"] as? [[String: Any]])?.first)
        let rows = try #require(set["rows"] as? [[String: Any]])
        for model in ["mean", "last"] {
            let own = rows.filter { $0["model"] as? String == model }
            #expect(own.prefix(3).map { $0["layers"] as? [Int] } == [[0], [1], [2]])
            #expect(own.count { $0["chosen"] as? Bool == true } == 1)
        }
        // As a comparison of that layer alone.
        let alone = try object(
            run(
                ["compare", folder("train-layers"), "--test", folder("test-layers"), "--layer", "1"]
                    + arguments.dropFirst(6) + ["--json"]
            ).output)
        let single = try #require(
            (alone["data_sets"] as? [[String: Any]])?.first?["rows"] as? [[String: Any]])
        for row in single {
            let name = try #require(row["name"] as? String)
            let swept = try #require(rows.first { $0["name"] as? String == "\(name), layer 1 as stored" })
            #expect(swept["value"] as? Double == row["value"] as? Double)
        }
        let page = try String(contentsOfFile: folder("page.html"), encoding: .utf8)
        #expect(page.contains("mean by layer") && page.contains("last by layer"))

        // Controls see all layers side by side, and stand beside every probe of every layer.
        let controlled = try object(run(arguments + ["--controls", "--json"]).output)
        let beside = try #require((controlled["data_sets"] as? [[String: Any]])?.first)
        let controls = try #require(beside["controls"] as? [[String: Any]])
        let best = try #require(controls.first { $0["name"] as? String == beside["best_control"] as? String })
        let reached = try #require(best["value"] as? Double)
        for name in ["shuffled labels", "random directions"] {
            #expect(controls.contains { $0["name"] as? String == name && $0["value"] is Double })
        }
        for row in try #require(beside["rows"] as? [[String: Any]]) {
            let value = try #require(row["value"] as? Double)
            #expect(try abs(#require(row["above_control"] as? Double) - (value - reached)) < 1e-12)
        }
    }

    @Test func whatCannotBeSelectedIsRefused() throws {
        let labels = try dumps("train", count: 12, seed: 1)
        let train = ["train", folder("train"), "--labels", labels, "--out", folder("probe")]
        for (status, words, more) in [
            (64, "--layers-each: expected it only with --select", ["--layers-each", "all"]),
            (64, "The value '1' is invalid for '--layers-each", ["--select", "--layers-each", "1"]),
            (64, "The value '1,1' is invalid for '--layers-each", ["--select", "--layers-each", "1,1"]),
            (64, "--layers-each: expected it alone", ["--select", "--layers-each", "all", "--layer", "1"]),
            (65, "expected layer 3, found layers 0 to 2", ["--select", "--layers-each", "1,3"]),
        ] as [(Int32, String, [String])] {
            let names = try folder.names
            let result = try run(train + more, fails: status)
            #expect(result.error.contains(words) && result.output.isEmpty, "\(result)")
            #expect(try folder.names == names)
        }
        let single = Command.example("injection-train")
        try expectFailure(
            65, "expected several layers, side by side, found layer 4", in: folder,
            ["train", single, "--select", "--layers-each", "all", "--out", folder("probe")])
    }
}
