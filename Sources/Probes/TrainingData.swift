// What a probe was trained on, as its file says.
package import Activations

extension Probe {
    /// A file that is called like one of those the probe was trained on, which may be the same; nil where there is
    /// none, or the probe's own file does not say.
    package func trainingFile(in data: ActivationSet) -> String? {
        let trained = Set((training["data"] ?? "").split(separator: ", ").map(String.init))
        return data.fileNames.first(where: trained.contains)
    }

    /// The layers that it was trained on; nil where its file does not say.
    package var layers: LayerRecord? { LayerRecord(metadata: training) }

    /// The same sequences with their labels as this probe's task has them; see `ActivationSet.labelled(for:)`.
    package func labelled(_ data: ActivationSet) throws(DataError) -> ActivationSet {
        try data.labelled(for: task, isReordered: training[Self.positiveKey] != nil)
    }

    /// In the metadata of a probe, the name of the positive class where `classes` stand in another order than the
    /// training data have them, so that labels without names cannot be read.
    package static let positiveKey = "positive"
}

extension ActivationSet {
    /// What a probe's file says of the order of its classes, where that is not the order of the training data.
    package func positiveRecord(_ task: ProbeTask) -> [String: String] {
        isReordered ? [Probe.positiveKey: task.positiveClass ?? ""] : [:]
    }
}
