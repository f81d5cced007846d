import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Which sequences and layers data are of")
struct IdentityTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // One letter, composed and decomposed: equal as strings, two ids.
    @Test func idsAreBytes() throws {
        let (composed, decomposed): ([UInt8], [UInt8]) = ([0xC3, 0xA9], [0x65, 0xCC, 0x81])
        let file = LiteralActivations().without("labels")
            .with("sequence_ids", "U8", [5], composed + decomposed)
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 2, 5))
        let data = try folder.write(file.file, to: "data.safetensors")
        let head = Array("id,label\n".utf8)
        func row(_ id: [UInt8], _ label: String) -> [UInt8] { id + Array(",\(label)\n".utf8) }
        let both = try folder.write(
            head + row(decomposed, "yes") + row(composed, "no"), to: "labels.csv")
        #expect(
            try Command.run("convert", data, "--labels", both, "--out", folder("both"), "--quiet").status == 0
        )
        #expect(
            try ActivationSet(paths: [folder("both.safetensors")]).targets == .classes([0, 1]))
        let one = try folder.write(head + row(decomposed, "yes"), to: "one.csv")
        let part = try Command.run("convert", data, "--labels", one, "--out", folder("one"))
        #expect(part.status == 0 && part.error.contains("left out 1 of 2 sequences without"), "\(part)")
        #expect(try chosen(decomposed + [0x0A], of: data) == [decomposed])
    }

    // Of a list of ids only a mark at its start and the ends of lines are taken away.
    @Test func idsMayEndInSpaces() throws {
        let ids: [[UInt8]] = [[0x20, 0x61, 0x20], [0x62, 0xC2, 0xA0], [0x63, 0xE2, 0x80, 0xA8]]
        let file = LiteralActivations().without("labels")
            .with("offsets", "I64", [4], integerBytes(0, 1, 2, 3))
            .with("sequence_ids", "U8", [10], Array(ids.joined()))
            .with("sequence_ids_offsets", "I64", [4], integerBytes(0, 3, 6, 10))
        let data = try folder.write(file.file, to: "data.safetensors")
        #expect(try chosen([0xEF, 0xBB, 0xBF] + ids.joined(separator: [0x0D, 0x0A]), of: data) == ids)
        #expect(try chosen(ids[1] + [0x0A, 0x0A, 0x61, 0x0A], of: data) == [ids[1]])
    }

    private func chosen(_ list: [UInt8], of data: String) throws -> [[UInt8]] {
        let wanted = try folder.write(list, to: "ids")
        let run = try Command.run("convert", data, "--ids", wanted, "--out", folder("chosen"), "--quiet")
        #expect(run.status == 0, "\(run.error)")
        let set = try ActivationSet(paths: [folder("chosen.safetensors")])
        return set.indices.map { Array(set.id($0).utf8) }
    }

    // The same number as stored and of the model is another layer.
    @Test func layersThatAreCountedInTwoWays() throws {
        func flat(_ name: String, _ layer: String) throws -> String {
            let metadata = #"{"format":"attention-probes/activations","version":"1","layer":\#(layer)}"#
            return try folder.write(
                LiteralActivations().without("labels").described(by: metadata).file, to: name)
        }
        let stored = try flat("stored", #""1","layer_order":"stored""#)
        let (same, other) = (try flat("same", #""1""#), try flat("other", #""2""#))
        for paths in [[stored, same], [same, stored]] {
            let run = try Command.run("convert", paths[0], paths[1], "--out", folder("both"), "--quiet")
            #expect(run.status == 0, "\(run.error)")
            let both = try ActivationSet(paths: [folder("both.safetensors")])
            #expect(both.count == 4 && both.files[0].metadata["layer"] == nil)
            #expect(both.files[0].metadata["layer_order"] == nil)
        }
        for layers in ["1,2", "2,1"] {
            try expectFailure(
                65, "expected layers that are counted as in", in: folder,
                ["convert", stored, other, "--layers", layers, "--out", folder("beside"), "--quiet"])
        }
    }

    // A probe says what layers it saw: they are taken where a file has several, others only where asked for.
    @Test func layersOfTheProbe() throws {
        let dump = folder("dump.safetensors")
        _ = try folder.write(FormatsTests.request(3), to: "dump.safetensors")
        _ = try folder.write(
            FormatsTests.request(3).map { $0 == 0x40 ? 0xC0 : $0 }, to: "other.safetensors")
        let labels = try folder.write(Array("id,label\ndump,no\nother,yes\n".utf8), to: "labels.csv")
        let trained = try Command.run(
            "train", dump, folder("other.safetensors"), "--layer", "1", "--labels", labels, "--out",
            folder("one"), "--quiet", "--kind", "mean")
        #expect(trained.status == 0, "\(trained.error)")
        let described = try Command.run("inspect", folder("one")).output
        for words in ["layer      ", "layer_order ", "form ", "vLLM hidden states of one request"] {
            #expect(described.contains(words), "\(described)")
        }
        let asked = try Command.run("score", folder("one"), dump, "--layer", "1")
        #expect(asked.status == 0 && asked.error.isEmpty)
        let found = try Command.run("score", folder("one"), dump)
        #expect(found.status == 0 && found.output == asked.output)
        #expect(found.error.contains("took layer 1 as stored, as the probe was trained on"), "\(found.error)")
        let another = try Command.run("score", folder("one"), dump, "--layer", "2")
        #expect(another.status == 0 && another.output != asked.output)
        #expect(
            another.error.contains("warning: the probe was trained on layer 1 as stored, and scores layer 2"))
        // Converted, the file says which layer it is.
        for layer in ["1", "2"] {
            let copy = folder("layer\(layer)")
            #expect(
                try Command.run("convert", dump, "--layer", layer, "--out", copy, "--quiet").status == 0)
        }
        let same = try Command.run("score", folder("one"), folder("layer1.safetensors"))
        #expect(same.status == 0 && same.error.isEmpty)
        try expectFailure(
            65, "expected layer 1 as stored, which the probe was trained on, or --layers 2", in: folder,
            ["score", folder("one"), folder("layer2.safetensors")])
        let anyway = try Command.run("score", folder("one"), folder("layer2.safetensors"), "--layers", "2")
        #expect(anyway.status == 0 && anyway.error.contains("warning"), "\(anyway.error)")
        // A probe that says nothing, or counts in another way, leaves the choice to the user.
        try Probe(
            .attention(heads: 1), width: 2, task: .binary(classes: ["no", "yes"]),
            parameters: randomFloats(6, seed: 1)
        ).write(to: folder("silent"))
        try expectFailure(65, "--layer 0 to 2", in: folder, ["score", folder("silent"), dump])
        let tokens = integerBytes(1, 2, 3)
        let single = literalSafetensors([
            ("hidden_states", "F32", [3, 1, 2], floatBytes(1, 2, 3, 4, 5, 6)),
            ("token_ids", "I64", [3], tokens),
        ])
        let wide = literalSafetensors([
            ("hidden_states", "F32", [3, 3, 3], (0..<9).flatMap { _ in floatBytes(1, 2, 3) }),
            ("token_ids", "I64", [3], tokens),
        ])
        for (words, bytes) in [
            ("expected layer 1, found layers 0 to 0", single), ("found 3", wide),
            ("expected as many layers as in \(dump), 3, found 2", FormatsTests.request(2)),
        ] {
            let odd = try folder.write(bytes, to: "odd.safetensors")
            let failed = try Command.run("score", folder("one"), dump, odd)
            #expect(failed.status == 65 && failed.error.contains("odd.safetensors: "), "\(failed.error)")
            #expect(failed.error.contains(words), "\(failed.error)")
        }
        let model = LiteralActivations().described(
            by: #"{"format":"attention-probes/activations","version":"1","layer":"1"}"#)
        let flat = try folder.write(model.file, to: "flat.safetensors")
        #expect(try Command.run("score", folder("one"), flat, "--quiet").status == 0)
        #expect(
            try Command.run("train", flat, "--kind", "mean", "--out", folder("flat"), "--quiet").status == 0)
        try expectFailure(
            65, "found 3 layers, and a probe trained on layer 1", in: folder, ["score", folder("flat"), dump])
    }
}
