// What is judged: a probe on data, or scores that a probe has given before.
import ArgumentParser
import AttentionProbes

/// A probe and the sequences that it is judged on.
struct JudgedInput {
    let probe: Probe
    let data: ActivationSet

    /// Opens `PROBE DATA...`, or in their place `SCORES` or `PROBE SCORES` with labels from a table.
    ///
    /// - Throws: also `ValidationError` where scores have no table of labels beside them, or stand among data.
    init(
        _ first: String, _ data: [String], labels labelling: LabelOptions, _ shared: SharedOptions
    ) throws {
        SharedOptions.reads([first])
        let hasScores = try data.isEmpty || data.count == 1 && ScoreFile.isScores(data[0])
        guard hasScores else {
            probe = try Probe(path: first)
            self.data = try shared.open(data, labels: labelling, for: [probe])
            return
        }
        guard try !data.isEmpty || ScoreFile.isScores(first) else {
            throw ValidationError(
                "expected DATA behind the probe, or scores in its place, found a probe alone")
        }
        guard shared.masking.mask == nil else {
            throw ValidationError(
                "--mask: expected hidden states, found scores, in which no token can be left out")
        }
        guard let table = try labelling.table() else {
            throw ValidationError(
                "--labels: expected a table beside scores, which have no labels, found none")
        }
        SharedOptions.reads(data + [labelling.labels].compactMap(\.self))
        let file =
            try data.isEmpty
            ? ScoreFile(path: first)
            : ScoreFile(path: data[0], probe: Probe(path: first), name: stem(first))
        probe = file.probe
        self.data = try table.label(file.data, for: probe.task, note: shared.note)
    }

    /// Refuses controls of scores: they are trained on hidden states, and so the probe must be judged on them.
    func check(_ controls: ControlOptions) throws {
        guard data.areScores, !controls.controls.isEmpty else { return }
        throw ValidationError("--controls: expected hidden states to judge, found scores")
    }
}
