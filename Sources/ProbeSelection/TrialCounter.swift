private import Synchronization

/// Counts the trainings of a selection as they end, on any thread, and tells of each.
final class TrialCounter: Sendable {
    private let counts = Mutex((done: 0, total: 0))
    private let kept: Int
    private let progress: @Sendable (Selection.Progress) -> Void

    init(kept: Int, _ progress: @escaping @Sendable (Selection.Progress) -> Void) {
        self.kept = kept
        self.progress = progress
    }

    /// So many more are to come.
    func expect(_ count: Int) { counts.withLock { $0.total += count } }

    /// One has ended.
    func count(_ name: String) {
        counts.withLock {
            $0.done += 1
            progress(Selection.Progress(done: $0.done, total: $0.total, kept: kept, name: name))
        }
    }
}
