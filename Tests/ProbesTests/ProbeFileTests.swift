import AttentionProbes
@testable import Probes
import Foundation
import TestSupport
import Testing

@Suite("Probe files")
struct ProbeFileTests {
    private func roundTrip(_ probe: Probe) throws -> Probe {
        let folder = try TemporaryFolder()
        try probe.write(to: folder("probe.safetensors"))
        #expect(try folder.names == ["probe.safetensors"])
        return try Probe(path: folder("probe.safetensors"))
    }

    @Test func aCalibrationIsWrittenInOneOrder() throws {
        for (calibration, text) in [
            (Calibration.platt(slope: 2, intercept: -1), #"{"intercept":-1,"method":"platt","slope":2}"#),
            (
                .isotonic(logits: [0, 1], probabilities: [0.25, 0.5]),
                #"{"logits":[0,1],"method":"isotonic","probabilities":[0.25,0.5]}"#
            ),
        ] {
            let plain = Probe(
                .mean, width: 1, task: .binary(classes: ["a", "b"]), parameters: [1, 0], threshold: 0.5)
            let probe = plain.deployed(threshold: 0.5, calibration: calibration, noting: [:])
            let folder = try TemporaryFolder()
            try probe.write(to: folder("probe"))
            #expect(try Safetensors.open(path: folder("probe")).metadata["calibration"] == text)
        }
    }

    @Test(arguments: [
        (ProbeConfiguration.attention(heads: 3), ProbeTask.binary(classes: ["a", "b\""])),
        (.attention(heads: 2, hidden: 4, .tanh), .multiclass(classes: ["a", "b", "c"])),
        (.mean, .regression(outputs: 2)), (.last, .multilabel(classes: ["x", "y"])),
    ])
    func whatIsWrittenIsRead(configuration: ProbeConfiguration, task: ProbeTask) throws {
        let count = configuration.architecture(width: 5, outputs: task.outputs).tensors.parameterCount
        let probe = Probe(
            configuration, width: 5, task: task, parameters: randomFloats(count, seed: 1),
            threshold: task.hasThreshold ? 0.25 : 0.5, training: ["seed": "7"])
        let read = try roundTrip(probe)
        #expect(
            read.parameters == probe.parameters && read.configuration == configuration && read.task == task)
        #expect(read.threshold == probe.threshold && read.training == ["seed": "7"] && read.width == 5)
    }

    // The least a file may hold, written by hand: one head on two dimensions.
    private static let metadata = [
        "format": "attention-probes/probe", "version": "1", "kind": "attention", "attention": "softmax",
        "heads": "1", "outputs": "1", "hidden": "0", "task": "binary", "classes": #"["no","yes"]"#,
        "threshold": "0.5",
    ]
    private static let tensors: [String: [Float]] = [
        "q.weight": [0, 0], "v.weight": [1, 2], "v.bias": [3], "position_weight": [0],
    ]

    private func read(
        _ changes: [String: String] = [:], leavingOut missing: String = "", _ tensors: [String: [Float]] = [:]
    ) throws -> Probe {
        let folder = try TemporaryFolder()
        let metadata = Self.metadata.merging(changes) { $1 }.filter { $0.key != missing }
        var writer = SafetensorsWriter(metadata: metadata)
        for (name, values) in Self.tensors.merging(tensors, uniquingKeysWith: { $1 }) where name != missing {
            writer.add(name, values, shape: name.hasSuffix(".weight") ? [1, values.count] : [values.count])
        }
        try writer.write(to: folder("probe"))
        return try Probe(path: folder("probe"))
    }

    @Test func theLeastFileScores() throws {
        let batch = try RaggedBatch([[1, 1, 3, 3]], width: 2)
        let set = try ActivationSet([ActivationFile(batch)])
        #expect(try read().scores(set).logits.storage == [9])
        #expect(try read(leavingOut: "v.bias").scores(set).logits.storage == [6])
    }

    @Test(arguments: Array(Self.metadata.keys))
    func missingMetadata(name: String) throws {
        let error = try #require(throws: DataError.self) { try read(leavingOut: name) }
        #expect(error.rule == .metadata && error.place == "metadata \(name)")
    }

    @Test(arguments: [
        ("version", "2"), ("kind", "median"), ("kind", "topk"), ("attention", "relu"), ("heads", "0"),
        ("heads", "two"),
        ("heads", "99999999999999"), ("outputs", "2"), ("hidden", "-1"), ("task", "ranking"),
        ("classes", #"["one"]"#), ("classes", "no, yes"), ("threshold", "2"), ("threshold", "nan"),
    ])
    func wrongMetadata(name: String, value: String) throws {
        #expect(try #require(throws: DataError.self) { try read([name: value]) }.rule == .metadata)
    }

    @Test(arguments: ["q.weight", "v.weight", "position_weight"])
    func missingTensors(name: String) throws {
        let error = try #require(throws: DataError.self) { try read(leavingOut: name) }
        #expect(error.rule == .missingTensor && error.description.contains(name))
    }

    @Test func wrongTensors() throws {
        func rule(_ tensors: [String: [Float]]) throws -> DataError.Rule {
            try #require(throws: DataError.self) { try read([:], tensors) }.rule
        }
        #expect(try rule(["q.weight": [1, 2, 3]]) == .shape)
        #expect(try rule(["position_weight": [1, 2]]) == .shape)
        for value in [Float.nan, .infinity, -.infinity] {
            #expect(try rule(["v.bias": [value]]) == .nonFinite)
            for name in ["q.weight", "v.weight"] { #expect(try rule([name: [0, value]]) == .nonFinite) }
            #expect(try rule(["position_weight": [value]]) == .nonFinite)
        }
        #expect(try rule(["o.weight": [1]]) == .metadata)
    }
}
