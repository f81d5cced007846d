import AttentionProbes
import Foundation
import Tensors
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

    @Test func choosesByIdAndAtRandom() throws {
        let set = try ActivationSet(paths: [example])
        let wanted = [set.id(90), set.id(3), "nobody"]
        let ids = try folder.write(Array((wanted.joined(separator: "\n") + "\n").utf8), to: "ids")
        let chosen = try Command.run("convert", example, "--ids", ids, "--out", folder("a"))
        #expect(chosen.status == 0 && chosen.error.contains("1 ids of \(ids) match no sequence: nobody"))
        let few = try ActivationSet(paths: [folder("a")])
        #expect(few.indices.map(few.id) == [set.id(3), set.id(90)])
        for (seed, name) in [("1", "b"), ("1", "c"), ("2", "d")] {
            #expect(
                try Command.run("convert", example, "--sample", "9", "--seed", seed, "--out", folder(name))
                    .status == 0)
        }
        let contents = try ["b", "c", "d"].map { try Data(contentsOf: URL(fileURLWithPath: folder($0))) }
        #expect(contents[0] == contents[1] && contents[0] != contents[2])
        #expect(try ActivationSet(paths: [folder("b")]).count == 9)
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

    @Test func outputsThatCannotBeWritten() throws {
        try expectFailure(
            74, "No such file or directory", in: folder,
            ["convert", example, "--out", folder("no/out"), "--quiet"])
        try expectFailure(
            74, "No space left", in: folder, ["convert", example, "--out", "/dev/full", "--quiet"])
    }
}
