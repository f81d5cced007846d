import AttentionProbes
@testable import Activations
import TestSupport
import Testing

/// What errors and records say of hidden states of several layers: the file, and the layer and dimension in it.
@Suite("Places in states of several layers")
struct LayerPlaceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func fault(_ set: ActivationSet) throws -> String {
        try "\(#require(set.nonFiniteError(in: 1)))".split(separator: "/").last.map(String.init) ?? ""
    }

    @Test func aFileEach() throws {
        for (layer, width) in [(10, 2), (14, 3), (20, 3)] {
            var values = [Float](repeating: 1, count: 3 * width)
            if layer > 10 { values[2 * width + 1] = .infinity }
            let file = LiteralActivations()
                .with("hidden_states", "F32", [3, width], values.flatMap { floatBytes($0) })
                .described(
                    by: #"{"format":"attention-probes/activations","version":"1","layer":"\#(layer)"}"#)
            _ = try folder.write(file.file, to: "of-\(layer).safetensors")
        }
        let set = try ActivationSet(paths: [folder.path], layers: [20, 10, 14])
        let words = "expected a finite number, found inf"
        #expect(
            try fault(set)
                == "of-20.safetensors: tensor hidden_states, sequence 1, token 1, layer 20, dimension 1: \(words)"
        )
        #expect(set.fileNames == ["of-20.safetensors", "of-10.safetensors", "of-14.safetensors"])
        // Without the first three columns, and of the last layer alone.
        let rest = set.taking(columns: [3..<8])
        #expect(try fault(rest).hasPrefix("of-14.safetensors") && fault(rest).contains("dimension 1"))
        #expect(rest.fileNames == ["of-10.safetensors", "of-14.safetensors"])
        let last = set.taking(columns: [5..<8], LayerRecord([14], areAsStored: false))
        #expect(
            try fault(last)
                == "of-14.safetensors: tensor hidden_states, sequence 1, token 1, dimension 1: \(words)")
        #expect(last.fileNames == ["of-14.safetensors"])
        #expect {
            try set.eachLayer()
        } throws: {
            "\($0)".hasSuffix("of-10.safetensors: layer 10: expected width 3 as of layer 20, found 2")
        }
    }

    // As files of other sequences would have them.
    @Test func labelsAreTheSame() throws {
        for (layer, labels) in [(1, [0, 1]), (2, [0, 0]), (3, nil)] as [(Int, [Int]?)] {
            let file = LiteralActivations()
                .described(
                    by: #"{"format":"attention-probes/activations","version":"1","layer":"\#(layer)"}"#)
            let labelled = labels.map {
                file.with("labels", "I64", [2], $0.flatMap { integerBytes($0) })
            }
            _ = try folder.write((labelled ?? file.without("labels")).file, to: "of-\(layer).safetensors")
        }
        #expect {
            try ActivationSet(paths: [folder.path], layers: [1, 2])
        } throws: {
            "\($0)".contains("of-2.safetensors: layer 2, sequence 1: expected labels as in ")
                && "\($0)".hasSuffix("of-1.safetensors, found others")
        }
        #expect(try ActivationSet(paths: [folder.path], layers: [1, 3]).targets == .classes([0, 1]))
    }

    // Numbers are places among names, which each file may have in its own order.
    @Test(arguments: [[0, 1], [1, 0]]) func labelsAreTheSameByName(others: [Int]) throws {
        let all = [(1, #"[\"no\",\"yes\"]"#, [0, 1]), (2, #"[\"yes\",\"no\"]"#, others)]
        for (layer, names, labels) in all {
            let file = LiteralActivations()
                .with("labels", "I64", [2], labels.flatMap { integerBytes($0) })
                .described(
                    by:
                        #"{"format":"attention-probes/activations","version":"1","layer":"\#(layer)","classes":"\#(names)"}"#
                )
            _ = try folder.write(file.file, to: "of-\(layer).safetensors")
        }
        if others == [1, 0] {
            #expect(try ActivationSet(paths: [folder.path], layers: [1, 2]).targets == .classes([0, 1]))
        } else {
            #expect { try ActivationSet(paths: [folder.path], layers: [1, 2]) } throws: {
                "\($0)".contains("layer 2, sequence 0: expected labels as in ")
            }
        }
    }

    @Test func oneFileOfAll() throws {
        var values = [Float](repeating: 1, count: 3 * 3 * 2)
        values[2 * 6 + 5] = .nan
        let path = try folder.write(
            LiteralActivations()
                .with("hidden_states", "F32", [3, 3, 2], values.flatMap { floatBytes($0) }).file,
            to: "dump")
        let set = try ActivationSet(paths: [path], layers: [0, 2])
        #expect(try fault(set).contains("sequence 1, token 1, layer 2, dimension 1: expected"))
        #expect(set.fileNames == ["dump"])
        let first = LayerRecord([0, 2], areAsStored: true).columns(
            of: LayerRecord([0], areAsStored: true), width: 4)
        #expect(set.taking(columns: [2..<4] + first!).fileNames == ["dump"])
        let alone = try ActivationSet(paths: [path], layers: [2])
        #expect(try fault(alone).contains("sequence 1, token 1, dimension 1: expected"))
    }
}
