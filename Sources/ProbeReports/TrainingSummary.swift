// What a page and a table say of a probe's training.
import ProbeSelection
import ProbeTraining
package import Probes

extension TrainingRecord {
    /// Names and texts in the order of names, but for what is shown as a plot, a table or a sentence.
    var plainValues: [(name: String, value: String)] {
        let isShown = [
            "selection": self[.selection] != nil, "loss_curve": self[.lossCurve] != nil,
            "threshold_rule": self[.thresholdRule] != nil, "part_trainings": self[.partTrainings] != nil,
        ]
        return texts.filter { isShown[$0.key] != true }.sorted { $0.key < $1.key }
            .map { ($0.key.replacing("_", with: " "), shortened($0.value)) }
    }

    /// "train.safetensors, 30 epochs, adamw, 200 sequences, best of 2 candidates by auroc": the parts that are
    /// known.
    var summaryParts: [String] {
        let selection = self[.selection]
        return [
            self["data"].map(shortened), self[.epoch].map { "\($0) epochs" }, self[.optimizer]?.rawValue,
            self[.stop] == .unconverged ? TrainingStop.unconverged.rawValue : nil,
            self[.trainingSequences].map { "\($0) sequences" },
            selection.map { "best of \($0.candidates.count) candidates by \($0.metric)" },
        ].compactMap(\.self)
    }
}

extension Probe {
    /// "train.safetensors, adamw, 30 epochs, 200 sequences": as much of its training as its file tells.
    package var trainingSummary: String { training.summaryParts.joined(separator: ", ") }
}

// Some values are for other tools to read.
private func shortened(_ value: String) -> String { value.count <= 300 ? value : value.prefix(299) + "…" }
