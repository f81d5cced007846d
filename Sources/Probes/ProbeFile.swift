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
// optionally calibration (binary; see Calibration.swift), and the hyperparameters of the kind. `classes` is absent for regression, `threshold` there for binary and multilabel. `v.bias` may be
// absent: the formula of the paper has none. Other metadata tell how the probe was trained.
private import FoundationEssentials
private import Tensors
package import Activations
import ProbeMetrics
import Storage

extension Probe {
    /// The value of `format` in the metadata of a probe file.
    package static let fileFormat = "attention-probes/probe"
    private static let fileVersion = "1"
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
        try fields.check("version", Self.fileVersion)
        let configuration = try fields.configuration()
        let task = try fields.task()
        let first = configuration.architecture(width: 1, outputs: task.outputs).tensors.widest!.name
        let width = try file.require(first, types: Self.weightTypes, dimensions: 2).shape[1]
        guard width > 0 else {
            throw DataError(.shape, path, "tensor \(first)", expected: "a width of at least 1", found: "0")
        }
        if configuration.hidden == 0, file.tensors["o.weight"] != nil {
            throw DataError(.metadata, path, "metadata hidden", expected: "the units of o.weight", found: "0")
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
            guard let bad = values.firstIndex(where: { !$0.isFinite }) else {
                parameters += values
                continue
            }
            throw DataError(
                .nonFinite, path, "tensor \(tensor.name), element \(bad)", expected: "a finite number",
                found: "\(values[bad])")
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
        metadata["version"] = Self.fileVersion
        metadata["kind"] = configuration.kind.rawValue
        metadata["attention"] = configuration.attention.rawValue
        metadata["heads"] = String(configuration.heads)
        metadata["outputs"] = String(task.outputs)
        metadata["hidden"] = String(configuration.hidden)
        for (hyperparameter, _) in configuration.kind.hyperparameters {
            metadata[hyperparameter.name] = hyperparameter.text(configuration[hyperparameter])
        }
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

// The required metadata of a probe file, each read with its rule.
private struct ProbeMetadata {
    static var names: Set<String> {
        Set([
            "format", "version", "kind", "attention", "heads", "outputs", "hidden", "task", "classes",
            "threshold", "calibration",
        ]).union(ProbeKind.allCases.flatMap { $0.hyperparameters.map(\.key.name) })
    }
    private let path: String
    private let fields: [String: String]

    init(_ file: TensorFile) {
        path = file.file.path
        fields = file.metadata
    }

    private func fault(_ name: String, expected: String) -> DataError {
        DataError(
            .metadata, path, "metadata \(name)", expected: expected, found: fields[name] ?? "nothing")
    }

    func check(_ name: String, _ expected: String) throws(DataError) {
        guard fields[name] == expected else { throw fault(name, expected: expected) }
    }

    func value<T: RawRepresentable & CaseIterable>(_ name: String) throws(DataError) -> T
    where T.RawValue == String {
        guard let value = fields[name].flatMap(T.init(rawValue:)) else {
            throw fault(name, expected: T.allCases.map(\.rawValue).formatted)
        }
        return value
    }

    func integer(_ name: String, from least: Int) throws(DataError) -> Int {
        guard let value = fields[name].flatMap({ Int($0) }), value >= least, value < 1 << 24 else {
            throw fault(name, expected: "a whole number from \(least)")
        }
        return value
    }

    func configuration() throws(DataError) -> ProbeConfiguration {
        let kind: ProbeKind = try value("kind")
        var configuration = ProbeConfiguration(kind)
        // Said of every kind.
        let heads = try value(of: .heads)
        _ = try value(of: .hidden)
        configuration.attention = try value("attention")
        guard heads == 1 || kind.hasHeads else { throw fault("heads", expected: "1") }
        for (hyperparameter, _) in kind.hyperparameters {
            configuration[hyperparameter] = try value(of: hyperparameter)
        }
        return configuration
    }

    func value(of hyperparameter: Hyperparameter) throws(DataError) -> Float {
        guard let value = fields[hyperparameter.name].flatMap(hyperparameter.value) else {
            throw fault(hyperparameter.name, expected: hyperparameter.expected)
        }
        return value
    }

    func probability(_ name: String) throws(DataError) -> Double {
        guard let value = fields[name].flatMap({ Double($0) }), 0 <= value, value <= 1 else {
            throw fault(name, expected: "a probability")
        }
        return value
    }

    func calibration(_ task: ProbeTask) throws(DataError) -> Calibration? {
        guard let text = fields["calibration"] else { return nil }
        guard task.isBinary,
            let calibration = try? JSONDecoder().decode(Calibration.self, from: Data(text.utf8))
        else {
            throw fault("calibration", expected: "a calibration (platt or isotonic) of a binary task")
        }
        return calibration
    }

    func task() throws(DataError) -> ProbeTask {
        let outputs = try integer("outputs", from: 1)
        guard let name = fields["task"], ["binary", "multiclass", "multilabel", "regression"].contains(name)
        else { throw fault("task", expected: "binary, multiclass, multilabel or regression") }
        if name == "regression" { return .regression(outputs: outputs) }
        let count = name == "binary" ? 2 : outputs
        guard let classes = fields["classes"].flatMap(JSONList.decode), classes.count == count,
            Set(classes).count == count
        else {
            throw fault("classes", expected: "a JSON list of \(count) different names")
        }
        if name == "binary", outputs != 1 { throw fault("outputs", expected: "1 for a binary task") }
        switch name {
        case "binary": return .binary(classes: classes)
        case "multiclass": return .multiclass(classes: classes)
        default: return .multilabel(classes: classes)
        }
    }
}
