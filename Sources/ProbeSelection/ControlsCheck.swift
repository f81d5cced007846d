// Data that controls would fail on are refused before anything is trained.
import Activations
import Probes
import ProbeTraining

extension Controls {
    /// What controls are trained on and what they score, as `run` takes them.
    struct Checked {
        /// These, with as many folds as the training data's classes and groups can be cut into.
        let controls: Controls
        /// The training data and the tests, labelled for the task.
        let sets: [ActivationSet]
        /// Of each set the column that is a control; nil for no such control.
        let columns: [[String]]?
    }

    /// Refuses training data that linear probes cannot be selected on, tests of another width or task, and sets without
    /// the column that is to be a control.
    ///
    /// - Throws: `DataError`; an error of `confound`.
    func checked(_ training: ActivationSet, tests: [ActivationSet], task: ProbeTask) throws -> Checked {
        for set in [training] + tests { try set.checkNotEmpty() }
        let sets = try ([training] + tests).map { try $0.labelled(for: task) }
        for test in tests { try training.checkFits(test, task) }
        try sets[0].checkSeveralClasses()
        return Checked(
            controls: try withFolds(for: sets[0], task), sets: sets,
            columns: try confound.map { confound in try sets.map { try confound($0) } })
    }

    // Where nobody has said how many folds: as many as a selection has, of small classes or few groups fewer.
    private func withFolds(for training: ActivationSet, _ task: ProbeTask) throws -> Controls {
        var own = self
        if selection.folds == nil {
            for count in (2...selection.folds(for: training)).reversed() {
                own.selection.folds = count
                if (try? own.selection.split(training, task: task)) != nil { return own }
            }
        }
        _ = try own.selection.split(training, task: task)
        return own
    }
}
