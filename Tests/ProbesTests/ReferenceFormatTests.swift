import AttentionProbes
@testable import Probes
import Foundation
import TestSupport
import Testing

/// The parameters in the golden files come from the reference implementation's module, under its names.
@Suite("Probes of the reference implementation")
struct ReferenceFormatTests {
    // Its state dict: names and shapes, in an order that is not ours.
    private func stateDict(_ golden: GoldenCase) -> [(name: String, shape: [Int])] {
        let shape = golden.architecture()
        let (h, d, o, m) = (shape.heads, shape.width, shape.outputs, shape.hidden)
        let values = m > 0 ? m : o
        return (m > 0 ? [("o.bias", [o]), ("o.weight", [o, m])] : []) + [
            ("position_weight", [h]), ("v.bias", [h * values]), ("v.weight", [h * values, d]),
            ("q.weight", [h, d]),
        ]
    }

    @Test(arguments: GoldenCase.names)
    func theirsScoreHere(name: String) throws {
        let golden = try GoldenCase(name)
        let shape = golden.architecture()
        var metadata = [
            "format": "attention-probes/probe", "version": "1", "kind": "attention",
            "attention": shape.attention.rawValue, "heads": "\(shape.heads)", "outputs": "\(shape.outputs)",
            "hidden": "\(shape.hidden)", "task": golden.task.name, "threshold": "0.5",
        ]
        metadata["classes"] = golden.task.classes.map(JSONList.encode)
        var writer = SafetensorsWriter(metadata: metadata)
        for (name, shape) in stateDict(golden) { writer.add(name, golden.floats(name), shape: shape) }
        let folder = try TemporaryFolder()
        try writer.write(to: folder("theirs"))
        let probe = try Probe(path: folder("theirs"))
        #expect(
            relativeError(try probe.scores(golden.data()).logits.storage, golden.floats("outputs")) < 1e-5)
    }

    @Test(arguments: GoldenCase.names)
    func oursHaveTheirNamesAndShapes(name: String) throws {
        let golden = try GoldenCase(name)
        let shape = golden.architecture()
        let probe = Probe(
            .attention(heads: shape.heads, hidden: shape.hidden, shape.attention), width: shape.width,
            task: golden.task, parameters: golden.parameters())
        let folder = try TemporaryFolder()
        try probe.write(to: folder("ours"))
        let file = try Safetensors.open(path: folder("ours"))
        #expect(Set(file.tensors.names) == Set(stateDict(golden).map(\.name)))
        for (name, shape) in stateDict(golden) {
            let tensor = try #require(file.tensors[name])
            #expect(tensor.shape == shape && tensor.type == "F32")
            #expect(file.floats(tensor) == golden.floats(name))
        }
    }
}
