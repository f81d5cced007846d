import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("convert")
struct ConvertTests {
    private let folder: TemporaryFolder
    private let example = Command.example("injection-test")

    init() throws { folder = try TemporaryFolder() }

    @Test func copiesAndShards() throws {
        let probe = folder("probe")
        #expect(
            try Command.run(
                "train", Command.example("injection-train"), "--kind", "lda", "--out", probe, "--quiet"
            )
            .status == 0)
        let expected = try Command.run("score", probe, example).output
        #expect(try Command.run("convert", example, "--out", folder("copy.safetensors")).status == 0)
        #expect(try Command.run("score", probe, folder("copy.safetensors")).output == expected)
        let result = try Command.run(
            "convert", example, "--out", folder("shards"), "--shard-size", "1MB", "--json", "--quiet")
        #expect(result.status == 0 && result.error.isEmpty)
        let files = try #require(try object(result.output)["files"] as? [[String: Any]])
        #expect(files.count > 1 && files.compactMap { $0["sequences"] as? Int }.reduce(0, +) == 100)
        let last = String(format: "shards/shards-%05d-of-%05d.safetensors", files.count, files.count)
        #expect(files.last?["path"] as? String == folder(last))
        #expect(try Command.run("score", probe, folder("shards")).output == expected)
        #expect(
            try Command.run("evaluate", probe, folder("shards"), "--json").output
                == Command.run("evaluate", probe, example, "--json").output)
        // Nothing is written among other files, nor over an input.
        let nowhere = try Command.run(
            "convert", example, "--out", folder("none/shards"), "--shard-size", "1MB")
        #expect(nowhere.status == 74 && nowhere.error.contains("none/shards: No such file or directory"))
        let again = try Command.run("convert", example, "--out", folder("shards"), "--shard-size", "1MB")
        #expect(again.status == 64 && again.error.contains("holds \(files.count) files already"))
        let same = try Command.run("convert", folder("copy.safetensors"), "--out", folder("copy.safetensors"))
        #expect(same.status == 64 && same.error.contains("is also an input"))
    }

    @Test func splitsWholeGroups() throws {
        let result = try Command.run(
            "convert", example, "--test-fraction", "0.3", "--seed", "2", "--out", folder("data"), "--dtype",
            "f16")
        #expect(result.status == 0, "\(result.error)")
        let (train, test) = try (
            ActivationSet(paths: [folder("data-train.safetensors")]),
            ActivationSet(paths: [folder("data-test.safetensors")])
        )
        #expect(train.count + test.count == 100 && (20...40).contains(test.count))
        #expect(try Set(#require(train.groups)).isDisjoint(with: #require(test.groups)))
        #expect(
            train.storedType == .f16
                && Set(train.indices.map(train.id)).isDisjoint(with: test.indices.map(test.id)))
        #expect(try !folder.names.contains("data"))
    }

    @Test func takesGroupsFromAnotherTensor() throws {
        let file = LiteralActivations().with("readers", "I64", [2], integerBytes(7, 3)).file
        let data = try folder.write(file, to: "data.safetensors")
        let out = folder("out.safetensors")
        #expect(try Command.run("convert", data, "--group", "readers", "--out", out).status == 0)
        #expect(try ActivationSet(paths: [out]).groups == [7, 3])
    }

    @Test func choosesByIdAndAtRandom() throws {
        let set = try ActivationSet(paths: [example])
        let wanted = [set.id(90), set.id(3), "nobody"]
        let ids = try folder.write(Array((wanted.joined(separator: "\n") + "\n").utf8), to: "ids")
        let chosen = try Command.run("convert", example, "--ids", ids, "--out", folder("a"))
        #expect(chosen.status == 0 && chosen.error.contains("1 id of \(ids) matches no sequence: nobody"))
        let few = try ActivationSet(paths: [folder("a.safetensors")])
        #expect(few.indices.map(few.id) == [set.id(3), set.id(90)])
        for (seed, name) in [("1", "b"), ("1", "c"), ("2", "d")] {
            #expect(
                try Command.run("convert", example, "--sample", "9", "--seed", seed, "--out", folder(name))
                    .status == 0)
        }
        let contents = try ["b", "c", "d"].map {
            try Data(contentsOf: URL(fileURLWithPath: folder("\($0).safetensors")))
        }
        #expect(contents[0] == contents[1] && contents[0] != contents[2])
        #expect(try ActivationSet(paths: [folder("b.safetensors")]).count == 9)
        _ = try folder.write(Array("nobody\n".utf8), to: "ids")
        try expectFailure(
            65, "expected ids of the data", in: folder,
            ["convert", example, "--ids", ids, "--out", folder("e")])
    }

    // The shards before the one that fails stay, whole; nothing else does.
    @Test func overflowIsNamed() throws {
        for (name, value) in [("a", Float(1)), ("b", 70000)] {
            let file = LiteralActivations().with(
                "hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, value, 6))
            _ = try folder.write(file.file, to: "\(name).safetensors")
        }
        try expectFailure(
            65,
            "b.safetensors: tensor hidden_states, sequence 1, token 1, dimension 0: expected a number that F16 can hold, found 70000.0",
            in: folder, ["convert", folder.path, "--dtype", "f16", "--out", folder("out"), "--quiet"])
        let sharded = try Command.run(
            "convert", folder.path, "--dtype", "f16", "--shard-size", "8", "--out", folder("out"))
        #expect(sharded.status == 65 && sharded.error.contains("complete: "))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder("out")).sorted()
        #expect(names == (1...3).map { "out-0000\($0)-of-00004.safetensors" })
        #expect(try Command.run("inspect", folder("out")).status == 0)
    }

    @Test(arguments: [
        ["--sample", "0"], ["--test-fraction", "1"], ["--shard-size", "big"], ["--shard-size", "0"],
        ["--dtype", "f64"],
    ])
    func usage(arguments: [String]) throws {
        let result = try Command.start(["convert", example, "--out", folder("out")] + arguments).wait()
        #expect(result.status == 64 && result.error.contains("Usage:"), "\(result)")
    }

    @Test func namesEndInSafetensors() throws {
        let result = try Command.run("convert", example, "--sample", "3", "--out", folder("data"))
        #expect(result.status == 0 && result.error.contains("to \(folder("data.safetensors"))"))
        #expect(try folder.names == ["data.safetensors"])
        #expect(try Command.run("inspect", folder.path).output.contains("3 sequences"))
        // What is there under the whole name counts as an input.
        let same = try Command.run("convert", folder("data.safetensors"), "--out", folder("data"))
        #expect(same.status == 64 && same.error.contains("is also an input"))
        for (out, words) in [
            ("x.npz", "a name that ends in .safetensors"), ("", "expected a file, or a folder"),
        ] {
            let bad = try Command.run("convert", example, "--out", folder(out))
            #expect(bad.status == 64 && bad.error.contains(words), "\(bad)")
        }
        #expect(try folder.names == ["data.safetensors"])
    }

    // Files may be no larger than 64 KB, but for the profile that a build for coverage writes at its end, which would say
    // so in place of the tool.
    private let limit = "export LLVM_PROFILE_FILE=/dev/null; ulimit -f 64;"

    // What was complete stays, of the others nothing but rows to go on from.
    @Test func fullDisk() throws {
        let lengths = [10, 10, 20000]
        let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        let data = LiteralActivations()
            .with("hidden_states", "F32", [20020, 2], floatBytes(1, 2).repeated(20020))
            .with("offsets", "I64", [4], offsets.flatMap { integerBytes($0) })
            .without("labels")
        _ = try folder.write(data.file, to: "data.safetensors")
        func limited(_ arguments: String) throws -> CommandResult {
            let line = "\(limit) \(Command.tool.path) \(arguments)"
            return try Command.run("/bin/bash", ["-c", line], in: folder.path)
        }
        let whole = try limited("convert data.safetensors --dtype f16 --out whole --quiet")
        #expect(
            whole.status == 74 && whole.error == "attnprobe: cannot write whole.safetensors: File too large\n"
        )
        #expect(try folder.names == ["data.safetensors"])
        let shards = try limited("convert data.safetensors --shard-size 80 --out shards")
        #expect(
            shards.status == 74 && shards.error.contains("complete: shards/shards-00001-of-00003.safetensors")
        )
        #expect(shards.error.hasSuffix("shards-00003-of-00003.safetensors: File too large\n"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder("shards")).sorted()
                == ["1", "2"].map { "shards-0000\($0)-of-00003.safetensors" })

        func convert(_ arguments: String) throws -> CommandResult {
            try Command.run(
                "/bin/bash", ["-c", "\(Command.tool.path) convert \(arguments)"], in: folder.path)
        }
        _ = try folder.write(
            data.with("labels", "I64", [3], integerBytes(0, 1, 0)).file, to: "labelled.safetensors")
        let goOn = "data.safetensors --shard-size 80 --out shards"
        for (status, words, arguments) in [
            (Int32(64), "holds 2 files already; give --resume to keep what this command wrote", goOn),
            (64, "does not write shards-00001-of-00003", goOn + "/ --shard-size 1TB --resume"),
            (
                65, "shards/shards-00001-of-00003.safetensors: expected what this command writes there",
                goOn.replacing("data", with: "labelled") + " --resume"
            ),
            (64, "only with --shard-size", "data.safetensors --out file --resume"),
        ] {
            let refused = try convert(arguments)
            #expect(refused.status == status && refused.error.contains(words), "\(refused.error)")
        }
        // What a kept shard says of tokens and sequences is compared, and the tokens of some.
        let text = Array("ab".utf8).repeated(10010)
        for (name, other) in [
            ("states", data.with("hidden_states", "F32", [20020, 2], floatBytes(1, 3).repeated(20020))),
            ("weights", data.with("weights", "F32", [3], floatBytes(1, 2, 1))),
            ("mask", data.with("token_mask", "U8", [20020], [UInt8](repeating: 1, count: 20020))),
            ("ids", data.with("token_ids", "I32", [20020], [UInt8](repeating: 1, count: 80080))),
            (
                "text",
                data.with("token_text", "U8", [20020], text)
                    .with("token_text_offsets", "I64", [20021], (0...20020).flatMap { integerBytes($0) })
            ),
            (
                "model",
                data.described(
                    by: #"{"format":"attention-probes/activations","version":"1","model":"other"}"#)
            ),
        ] {
            _ = try folder.write(other.file, to: "\(name).safetensors")
            let refused = try convert("\(name).safetensors --shard-size 80 --out shards --resume")
            #expect(refused.status == 65 && refused.error.contains("found something else"), "\(name)")
        }
        func modified() throws -> [Date?] {
            try (1...2).map {
                try FileManager.default.attributesOfItem(
                    atPath: folder("shards/shards-0000\($0)-of-00003.safetensors"))[.modificationDate]
                    as? Date
            }
        }
        let before = try modified()
        let resumed = try convert(goOn + " --resume --json")
        #expect(resumed.status == 0 && resumed.error.contains("; kept 2 files"), "\(resumed.error)")
        #expect(resumed.output.contains("shards-00001-of-00003.safetensors"))
        #expect(try before.allSatisfy { $0 != nil } && modified() == before)
        #expect(try convert(goOn + "// --resume").error.hasSuffix("kept 3 files\n"))
        #expect(try convert("data.safetensors --shard-size 80 --out '100%s'").status == 0)
        #expect(
            try ActivationSet.files(folder("100%s")).first == folder("100%s/100%s-00001-of-00003.safetensors")
        )
        try FileManager.default.createDirectory(
            atPath: folder("anew"), withIntermediateDirectories: false)
        #expect(try convert("data.safetensors --shard-size 80 --out anew/shards").status == 0)
        for number in 1...3 {
            let name = "shards/shards-0000\(number)-of-00003.safetensors"
            #expect(
                FileManager.default.contentsEqual(atPath: folder(name), andPath: folder("anew/\(name)")))
        }
    }

    @Test func rowsOfAFullDisk() throws {
        // The long ones are a part of their own.
        let offsets = [0, 70000] + (140000...143000)
        let data = LiteralActivations()
            .with("hidden_states", "F32", [143000, 2], floatBytes(1, 2).repeated(143000))
            .with("offsets", "I64", [offsets.count], offsets.flatMap { integerBytes($0) })
            .without("labels")
        _ = try folder.write(data.file, to: "data.safetensors")
        try Probe(
            .attention(heads: 1), width: 2, task: .binary(classes: ["no", "yes"]),
            parameters: randomFloats(6, seed: 1)
        ).write(to: folder("probe"))
        let score = "\(Command.tool.path) score probe data.safetensors --out rows.jsonl"
        let full = try Command.run("/bin/bash", ["-c", "\(limit) \(score)"], in: folder.path)
        #expect(full.status == 74, "\(full)")
        #expect(full.error.contains("2 of 3002 rows are in rows.jsonl.partial; --resume"), "\(full.error)")
        #expect(full.error.hasSuffix("attnprobe: cannot write rows.jsonl: File too large\n"))
        let resumed = try Command.run("/bin/bash", ["-c", score + " --resume"], in: folder.path)
        #expect(resumed.status == 0, "\(resumed.error)")
        #expect(
            try String(contentsOfFile: folder("rows.jsonl"), encoding: .utf8)
                == Command.run("score", folder("probe"), folder("data.safetensors")).output)
    }
}

extension Array {
    fileprivate func repeated(_ count: Int) -> [Element] { Array(repeatElement(self, count: count).joined()) }
}
