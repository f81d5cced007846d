// A probe file is safetensors: the tensors of the probe's architecture under the names of the
// reference implementation, so that torch's `load_state_dict` takes them, and metadata that says
// everything scoring needs:
//
//     format     attention-probes/probe          version    1
//     kind       attention, mean, last, …        attention  softmax or tanh
//     heads      H, 1 without attention          outputs    O
//     hidden     M, 0 without a hidden layer     task       binary, multiclass, multilabel, regression
//     classes    a JSON list of names            threshold  a probability
//
// optionally calibration (binary; see Calibration.swift), and the hyperparameters of the kind, of which `units` may be absent
// for 0. `classes` is absent for regression, `threshold` there for binary and multilabel. `v.bias` may be absent: the formula of the paper has none.
// Of an ensemble `parts` is a JSON list with kind, attention, heads, hidden and hyperparameters of each part, and the
// tensors of part I are called parts.I.NAME. An ensemble across layers is of version 2, and `part_layers` is a JSON list of which
// of several layers side by side each part reads, counted from 0. Other metadata tell how the probe was trained.
private import FoundationEssentials
private import Tensors
package import Activations
import ProbeMetrics
import Storage

extension Probe {
    /// The value of `format` in the metadata of a probe file.
    package static let fileFormat = "attention-probes/probe"
    private static let weightTypes = ["F32", "F64", "F16", "BF16"]

    /// Reads a probe file.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks the format.
    public init(path: String) throws { try self.init(Safetensors.open(path: path)) }

    /// Reads a probe file that is open.
    ///
    /// - Throws: `DataError` where it breaks the format.
    package init(_ file: TensorFile) throws {
        let path = file.path
        let fields = ProbeMetadata(file)
        try fields.check("format", Self.fileFormat)
        // An older reader would give every part all of the state.
        try fields.check("version", file.metadata["part_layers"] == nil ? "1" : "2")
        let configuration = try fields.configuration()
        let task = try fields.task()
        let layers = configuration.layerCount
        let first = configuration.architecture(width: layers, outputs: task.outputs).tensors.widest!.name
        let width = try file.require(first, types: Self.weightTypes, dimensions: 2).shape[1] * layers
        guard width > 0 else {
            throw DataError(.shape, path, "tensor \(first)", expected: "a width of at least 1", found: "0")
        }
        let parts = configuration.parts.isEmpty ? [configuration] : configuration.parts
        for (i, part) in parts.enumerated() {
            let prefix = configuration.parts.isEmpty ? "" : "parts.\(i)."
            for (units, field, tensor) in [
                (part.hidden, "hidden", "o.weight"), (part.units, "units", "mlp.0.weight"),
            ] where units == 0 && file.tensors[prefix + tensor] != nil {
                throw DataError(
                    .metadata, path, "metadata \(field)", expected: "the units of \(prefix + tensor)",
                    found: "0")
            }
        }

        let architecture = configuration.architecture(width: width, outputs: task.outputs)
        var parameters: [Float] = []
        for tensor in architecture.tensors {
            if tensor.isOptional, file.tensors[tensor.name] == nil {
                parameters += Array(repeating: 0, count: tensor.count)
                continue
            }
            let values = file.floats(
                try file.require(tensor.name, types: Self.weightTypes, shape: tensor.shape))
            if let bad = values.firstIndex(where: { !$0.isFinite }) {
                throw DataError(
                    .nonFinite, path, "tensor \(tensor.name), element \(bad)", expected: "a finite number",
                    found: "\(values[bad])")
            }
            if tensor.name == "scales", let bad = values.firstIndex(where: { $0 <= 0 }) {
                throw DataError(
                    .shape, path, "tensor scales, element \(bad)", expected: "a number above 0",
                    found: "\(values[bad])")
            }
            parameters += values
        }
        let names = ProbeMetadata.names
        self.init(
            configuration, width: width, task: task, parameters: parameters,
            threshold: task.hasThreshold ? try fields.probability("threshold") : 0.5,
            calibration: try fields.calibration(task),
            training: TrainingRecord(file.metadata.filter { !names.contains($0.key) }))
    }

    /// Reads a probe from the bytes of a probe file.
    ///
    /// - Parameter name: what errors call them.
    /// - Throws: `DataError` where they break the format.
    package init(bytes: [UInt8], name: String) throws {
        try self.init(Safetensors.open(ByteSource(copying: bytes, name: name)))
    }

    /// Writes a probe file, beside its target and renamed when it is whole.
    ///
    /// - Throws: `SystemError`.
    public func write(to path: String) throws { try fileContent().write(to: path) }

    /// The bytes of a probe file.
    ///
    /// - Parameter name: what errors call them.
    package func fileBytes(name: String) throws -> [UInt8] { try fileContent().bytes(of: name) }

    private func fileContent() throws -> SafetensorsWriter {
        var metadata = training.texts
        metadata["format"] = Self.fileFormat
        metadata["version"] = configuration.partLayers.isEmpty ? "1" : "2"
        metadata["outputs"] = String(task.outputs)
        metadata.merge(configuration.metadata) { $1 }
        if !configuration.parts.isEmpty {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            metadata["parts"] = try String(
                decoding: encoder.encode(configuration.parts.map(\.metadata)), as: UTF8.self)
        }
        if !configuration.partLayers.isEmpty { metadata["part_layers"] = "\(configuration.partLayers)" }
        metadata["task"] = task.name
        if let classes = task.classes { metadata["classes"] = JSONList.encode(classes) }
        if task.hasThreshold { metadata["threshold"] = String(threshold) }
        if let calibration {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            metadata["calibration"] = try String(decoding: encoder.encode(calibration), as: UTF8.self)
        }
        var writer = SafetensorsWriter(metadata: metadata)
        for (tensor, range) in architecture.tensors.placed {
            writer.add(tensor.name, Array(parameters[range]), shape: tensor.shape)
        }
        return writer
    }
}
