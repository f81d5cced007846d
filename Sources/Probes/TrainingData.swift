// What a probe was trained on, as its file says.
package import Activations

extension Probe {
    /// A file that is called like one of those the probe was trained on, which may be the same; nil where there is
    /// none, or the probe's own file does not say.
    package func trainingFile(in data: ActivationSet) -> String? {
        let trained = Set(training[.data] ?? [])
        return data.fileNames.first(where: trained.contains)
    }

    /// The same sequences with their labels as this probe's task has them; see `ActivationSet.labelled(for:)`.
    package func labelled(_ data: ActivationSet) throws(DataError) -> ActivationSet {
        try data.labelled(for: task, isReordered: training[.positive] != nil)
    }
}

extension TrainingRecord {
    /// What is known of training on some data for a task: their files and form, their layers, and the positive class
    /// where the order of the classes is not theirs.
    package init(_ data: ActivationSet, _ task: ProbeTask) {
        self.init(data.layers?.metadata ?? [:])
        self[.data] = data.fileRecord
        self[.form] = data.formNames.isEmpty ? nil : data.formNames
        self[.mask] = data.mask
        if data.isReordered { self[.positive] = task.positiveClass ?? "" }
    }

    /// The layers that it was trained on; nil where they are not said.
    package var layers: LayerRecord? { LayerRecord(metadata: texts) }
}
