// Data that a comparison would fail on are refused before anything is trained.
package import Activations

extension ProbeComparison {
    /// Refuses data that a comparison would fail on: training data as `Selection.split` does, and test data of
    /// another width or task, of one class, of classes that the training data lack, with labels of which the
    /// metric is not defined; hidden states that are not finite; and trainings that cannot fit into memory. O(T·D).
    ///
    /// - Throws: `DataError`; `MemoryShortage`.
    package func check(_ training: ActivationSet, tests: [Test], task: ProbeTask) throws {
        let tests = tests.compactMap(\.data)
        for set in [training] + tests { try set.checkNotEmpty() }
        let training = try training.labelled(for: task)
        let states = comparesLayers ? try training.eachLayer().first.flatMap(training.taking) : nil
        for model in models { try selection(of: model).checkMemory(states ?? training, task: task) }
        for test in tests { try training.checkFits(test, task) }
        _ = try controls?.checked(training, tests: tests, task: task)
        _ = try selection.split(training, task: task)
        for test in tests {
            let test = try test.labelled(for: task)
            try test.checkSeveralClasses()
            try test.checkClasses(areAmongThoseOf: training)
            try test.checkMetric(selection.metric ?? .suited(to: task), task)
        }
        for set in [training] + tests { try set.checkFinite(threads: selection.threads) }
    }
}

extension ActivationSet {
    fileprivate func checkClasses(areAmongThoseOf other: ActivationSet) throws(DataError) {
        guard let labels = targets?.hardClasses, let known = other.targets?.hardClasses else { return }
        let all = Set(known)
        guard let bad = labels.indices.first(where: { !all.contains(labels[$0]) }) else { return }
        throw labelError(
            .labels, bad, expected: "one of the \(all.count) classes that the training data have",
            found: classes.map { $0[labels[bad]] } ?? String(labels[bad]))
    }

    fileprivate func checkFinite(threads: Int) throws {
        let finite = Set(try finiteSequences(threads: threads))
        guard let bad = indices.first(where: { !finite.contains($0) }) else { return }
        throw nonFiniteError(in: bad) ?? nonFiniteError()
    }
}
