public import AttentionProbesHeader
import AttentionProbes
import FoundationEssentials
import Probes
import Synchronization

/// What an `ap_probe` stands for.
final class ProbeTarget: HandleTarget {
    static let title = "a probe"
    let probe: Probe
    /// The probe as a set of its own, with the weights as a pass takes them.
    let set: ProbeSet
    // The last set of several that began with this probe: a server scores with the same ones again and again. The others
    // are held weakly: two probes that each begin a set with the other would else keep each other for ever.
    private let last = Mutex<(others: [Other], set: ProbeSet)?>(nil)
    private struct Other { weak let probe: ProbeTarget? }

    init(_ probe: Probe) {
        self.probe = probe
        set = ProbeSet([probe])
    }

    /// Several probes as a set.
    ///
    /// - Throws: `ArgumentError` where widths differ.
    static func set(_ probes: [ProbeTarget]) throws(ArgumentError) -> ProbeSet {
        guard probes.count > 1 else { return probes[0].set }
        for (i, other) in probes.enumerated() where other.probe.width != probes[0].probe.width {
            throw ArgumentError(
                "probes[\(i)]", expected: "the width of probes[0], \(probes[0].probe.width)",
                found: "\(other.probe.width)")
        }
        let others = probes.dropFirst()
        let kept = probes[0].last.withLock { $0 }
        if let kept, kept.others.elementsEqual(others, by: { $0.probe === $1 }) { return kept.set }
        let set = ProbeSet(probes.map(\.probe))
        probes[0].last.withLock { $0 = (others.map { Other(probe: $0) }, set) }
        return set
    }
}

/// The probes of an array of handles.
func probes(_ handles: UnsafePointer<OpaquePointer?>?, _ count: Int64) throws(ArgumentError) -> [ProbeTarget]
{
    let handles = unsafe try array(handles, count, "probes")
    guard !handles.isEmpty else {
        throw ArgumentError("probes", expected: "at least one", found: "none")
    }
    var probes: [ProbeTarget] = []
    for i in handles.indices { probes.append(try unsafe Handles.find(handles[i], "probes[\(i)]")) }
    return probes
}

/// Reads a probe file.
@c @implementation
public func ap_probe_load(
    _ path: UnsafePointer<CChar>!, _ probe: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let probe = try unsafe place(probe, "probe")
        let loaded = try unsafe Probe(path: pathText(path, "path"))
        unsafe probe.pointee = Handles.open(ProbeTarget(loaded))
    }
}

/// Reads a probe from the bytes of a file.
@c @implementation
public func ap_probe_load_bytes(
    _ content: UnsafeRawPointer!, _ size: Int, _ probe: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let probe = try unsafe place(probe, "probe")
        let loaded = try unsafe Probe(bytes: bytes(content, size, "bytes"), name: "the bytes of the probe")
        unsafe probe.pointee = Handles.open(ProbeTarget(loaded))
    }
}

/// Writes a probe file.
@c @implementation
public func ap_probe_save(_ probe: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> ap_status {
    status {
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        try unsafe target.probe.write(to: pathText(path, "path"))
    }
}

/// Gives the bytes of a probe file.
@c @implementation
public func ap_probe_bytes(
    _ probe: OpaquePointer!, _ bytes: UnsafeMutableRawPointer!, _ capacity: Int,
    _ size: UnsafeMutablePointer<Int>!
) -> ap_status {
    status {
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        try unsafe giveBytes(target.probe.fileBytes(name: "the probe"), bytes, capacity, size)
    }
}

/// Says how much room results of a probe need.
@c @implementation
public func ap_probe_shape(_ probe: OpaquePointer!, _ shape: UnsafeMutablePointer<ap_shape>!) -> ap_status {
    status {
        let shape = try unsafe place(shape, "shape")
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let probe = target.probe
        let task =
            switch probe.task.kind {
            case .binary: AP_BINARY
            case .multiclass: AP_MULTICLASS
            case .multilabel: AP_MULTILABEL
            case .regression: AP_REGRESSION
            }
        unsafe shape.pointee = ap_shape(
            width: Int64(probe.width), outputs: Int64(probe.task.outputs),
            heads: Int64(probe.configuration.heads), task: task,
            attends: probe.configuration.attends ? 1 : 0, has_entropies: probe.hasEntropies ? 1 : 0,
            threshold: probe.threshold)
    }
}

/// Says what a probe file says, as JSON.
@c @implementation
public func ap_probe_describe(
    _ probe: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let json = try unsafe place(json, "json")
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        unsafe json.pointee = try Texts.give(ProbeDescription(target.probe).json())
    }
}

/// Gives the numbers of a tensor.
@c @implementation
public func ap_probe_tensor(
    _ probe: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ values: UnsafeMutablePointer<Float>!,
    _ capacity: Int64, _ count: UnsafeMutablePointer<Int64>!
) -> ap_status {
    status {
        let count = try unsafe place(count, "count")
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let name = try unsafe text(name, "name")
        guard let tensor = target.probe.tensor(name) else {
            throw ArgumentError(
                "name",
                expected: "one of \(target.probe.architecture.tensors.map(\.name).joined(separator: ", "))",
                found: name)
        }
        unsafe count.pointee = Int64(tensor.count)
        try unsafe give(tensor, values, capacity: capacity, "values")
    }
}

/// Ends a handle on a probe.
@c @implementation
public func ap_probe_free(_ probe: OpaquePointer!) -> ap_status {
    status { try unsafe Handles.close(probe, as: ProbeTarget.self) }
}

// What a probe file says, for `ap_probe_describe`.
private struct ProbeDescription: Encodable {
    let kind: String
    let width, outputs, heads, hidden: Int
    let attention: String
    let hyperparameters: [String: String]
    let parts: [PartDescription]?
    let task: String
    let classes: [String]?
    let positive: String?
    let threshold: Double?
    let calibration: Calibration?
    let tensors: [String: [Int]]
    let training: [String: String]

    init(_ probe: Probe) {
        let configuration = probe.configuration
        kind = configuration.kind.rawValue
        (width, outputs) = (probe.width, probe.task.outputs)
        (heads, hidden) = (configuration.heads, configuration.hidden)
        attention = configuration.attention.rawValue
        hyperparameters = configuration.hyperparameterTexts
        parts =
            configuration.parts.isEmpty
            ? nil
            : zip(configuration.parts, probe.partWeights).enumerated().map { i, part in
                let layers = configuration.partLayers
                return PartDescription(part.0, weight: part.1, layer: layers.isEmpty ? nil : layers[i])
            }
        (task, classes, positive) = (probe.task.name, probe.task.classes, probe.task.positiveClass)
        threshold = probe.task.hasThreshold ? probe.threshold : nil
        calibration = probe.calibration
        tensors = Dictionary(uniqueKeysWithValues: probe.architecture.tensors.map { ($0.name, $0.shape) })
        training = probe.training.texts
    }
}

// A part of an ensemble.
private struct PartDescription: Encodable {
    let kind: String
    let heads: Int
    let attention: String
    let hyperparameters: [String: String]
    let weight: Float
    let layer: Int?

    init(_ configuration: ProbeConfiguration, weight: Float, layer: Int?) {
        (kind, heads) = (configuration.kind.rawValue, configuration.heads)
        attention = configuration.attention.rawValue
        hyperparameters = configuration.hyperparameterTexts
        (self.weight, self.layer) = (weight, layer)
    }
}

extension ProbeConfiguration {
    fileprivate var hyperparameterTexts: [String: String] {
        Dictionary(uniqueKeysWithValues: saidValues.map { ($0.name, $0.text) })
    }
}
