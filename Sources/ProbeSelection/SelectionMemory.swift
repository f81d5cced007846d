// What the trainings of a selection need in memory (`TrainingMemory.swift`).
package import Activations
import ProbeTraining

extension Selection {
    /// Refuses candidates whose trainings, as many side by side as there are threads, cannot fit into memory.
    ///
    /// - Throws: `MemoryShortage`; `DataError` where labels are missing.
    package func checkMemory(_ data: ActivationSet, task: ProbeTask? = nil) throws {
        let task = try task ?? data.task()
        let needs = candidates.map { ($0, bytes: $0.trainingBytes(data, task, threads: 1)) }
            .sorted { $0.bytes > $1.bytes }
        // The largest come first, one a fold.
        var (needed, left) = (0.0, threads)
        for need in needs where left > 0 {
            let together = min(left, folds(for: data))
            needed += Double(together) * need.bytes
            left -= together
        }
        let averages = candidates.map { $0.averageBytes(data, task, of: average) }.max() ?? 0
        let (first, together) = (needs[0].0, threads - left)
        try MemoryShortage.check(
            max(needed, needs[0].bytes + averages), threads: threads,
            first.name + " on states of width \(data.width)"
                + (together > 1 ? ", \(together) trainings side by side (fewer --threads have fewer)" : ""))
    }
}
