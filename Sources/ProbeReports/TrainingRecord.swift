// How a probe was trained, as its file tells: plain values, and some that are JSON. All are optional;
// one that cannot be read stays among the plain ones.
private import Foundation
import ProbeMetrics
import ProbeSelection
package import Probes
import ProbeTraining

/// What a probe file says of its training.
struct TrainingRecord {
    /// Plain names and values, in the order of names.
    private(set) var values: [(name: String, value: String)] = []
    let selection: Selection?
    let lossCurve: [LossPoint]?
    let calibration: Calibration?
    let thresholdRule: ThresholdRule?

    /// The probes that were compared, and how.
    struct Selection: Decodable {
        let metric: String
        let folds: Int?
        let candidates: [Candidate]

        struct Candidate: Decodable {
            let name: String
            let score, low, high, seconds: Double?
            let folds: [Double?]?
            let converged, chosen: Bool?
        }
    }

    /// An epoch with its loss, and the loss on sequences held out.
    struct LossPoint: Decodable {
        let epoch, loss: Double
        let heldOut: Double?

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            epoch = try list.decode(Double.self)
            loss = try list.decode(Double.self)
            heldOut = list.isAtEnd ? nil : try list.decodeIfPresent(Double.self)
        }
    }

    /// "train.safetensors, 30 epochs, adamw, 200 sequences, best of 2 candidates by auroc": as much of
    /// it as is known.
    var summary: String { summaryParts.joined(separator: ", ") }

    /// The parts of `summary`.
    var summaryParts: [String] {
        var parts: [String] = []
        for (name, value) in values {
            switch name {
            case "training sequences": parts.append("\(value) sequences")
            case "epoch": parts.append("\(value) epochs")
            case "data", "optimizer": parts.append(value)
            case "stop" where value == TrainingStop.unconverged.rawValue: parts.append(value)
            default: break
            }
        }
        if let selection {
            parts.append("best of \(selection.candidates.count) candidates by \(selection.metric)")
        }
        return parts
    }

    /// Reads the metadata of a probe.
    init(_ probe: Probe) {
        let training = probe.training
        func read<T: Decodable>(_ name: String) -> T? {
            training[name].flatMap { try? JSONDecoder().decode(T.self, from: Data($0.utf8)) }
        }
        let curve: [LossPoint]? = read("loss_curve")
        selection = read("selection")
        lossCurve = curve.flatMap { $0.count > 1 ? $0 : nil }
        calibration = probe.calibration
        thresholdRule = probe.thresholdRule
        let shown: [(String, Bool)] = [
            ("selection", selection != nil), ("loss_curve", curve != nil),
            ("threshold_rule", thresholdRule != nil),
        ]
        let structured = Set(shown.filter(\.1).map(\.0))
        values = training.filter { !structured.contains($0.key) }.sorted { $0.key < $1.key }
            .map { ($0.key.replacing("_", with: " "), shortened($0.value)) }
    }
}

extension Probe {
    /// "train.safetensors, adamw, 30 epochs, 200 sequences": as much of its training as its file tells.
    package var trainingSummary: String { TrainingRecord(self).summary }
}

// Some values are for other tools to read.
private func shortened(_ value: String) -> String { value.count <= 300 ? value : value.prefix(299) + "…" }
