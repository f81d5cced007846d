// What a probe file says beside its tensors; see ProbeFile.swift.
private import FoundationEssentials
import Activations
import ProbeMetrics

extension ProbeConfiguration {
    // Kind, attention, heads, hidden and hyperparameters, as the file has them.
    var metadata: [String: String] {
        var metadata = [
            "kind": kind.rawValue, "attention": attention.rawValue, "heads": String(heads),
            "hidden": String(hidden),
        ]
        for (name, text) in saidValues { metadata[name] = text }
        return metadata
    }
}

// The required metadata of a probe file, each read with its rule.
struct ProbeMetadata {
    static var names: Set<String> {
        Set([
            "format", "version", "kind", "attention", "heads", "outputs", "hidden", "task", "classes",
            "threshold", "calibration", "parts", "part_layers",
        ]).union(ProbeKind.allCases.flatMap { $0.hyperparameters.map(\.key.name) })
    }
    private let path: String
    private let fields: [String: String]
    // "part 1, " of one of several.
    private let place: String

    init(_ file: TensorFile) { self.init(file.file.path, file.metadata) }

    private init(_ path: String, _ fields: [String: String], place: String = "") {
        (self.path, self.fields, self.place) = (path, fields, place)
    }

    private func fault(_ name: String, expected: String) -> DataError {
        DataError(
            .metadata, path, "metadata \(place)\(name)", expected: expected, found: fields[name] ?? "nothing")
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
        if fields["kind"] == ProbeKind.ensemble.rawValue, place.isEmpty {
            let parts = try parts()
            return .ensemble(parts, layers: try partLayers(count: parts.count))
        }
        let kind: ProbeKind = try value("kind")
        var configuration = ProbeConfiguration(kind)
        // Said of every kind.
        let heads = try value(of: .heads)
        _ = try value(of: .hidden)
        configuration.attention = try value("attention")
        guard heads == 1 || kind.hasHeads else { throw fault("heads", expected: "1") }
        for (hyperparameter, _) in kind.hyperparameters {
            let isAbsent = hyperparameter.isOptional && fields[hyperparameter.name] == nil
            configuration[hyperparameter] = isAbsent ? 0 : try value(of: hyperparameter)
        }
        return configuration
    }

    private func parts() throws(DataError) -> [ProbeConfiguration] {
        let lists = fields["parts"].flatMap {
            try? JSONDecoder().decode([[String: String]].self, from: Data($0.utf8))
        }
        guard let lists, !lists.isEmpty else {
            throw fault("parts", expected: "a JSON list with an object of texts for each part, at least one")
        }
        var parts: [ProbeConfiguration] = []
        for (i, fields) in lists.enumerated() {
            parts.append(try ProbeMetadata(path, fields, place: "parts, \(i): ").configuration())
        }
        return parts
    }

    private func partLayers(count: Int) throws(DataError) -> [Int] {
        guard let text = fields["part_layers"] else { return [] }
        guard let layers = try? JSONDecoder().decode([Int].self, from: Data(text.utf8)),
            layers.count == count,
            ProbeConfiguration.areInOrder(layers)
        else {
            throw fault(
                "part_layers", expected: "a JSON list of \(count) layers, counted from 0, none left out")
        }
        return layers
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
