import ProbeTraining

/// Trials by the paths of penalties on which they lie, each trained from the one before within its fold, the strongest
/// penalty first.
struct TrialPaths {
    let candidates: [Candidate]

    /// What is left of a path of penalties, or a trial that is on none.
    struct Open {
        let trials: [Trial]
        /// Where the first starts; nil for where any training starts.
        let start: [Float]?
        let isPath: Bool
    }

    /// Of every path what an earlier run has not trained, which goes on from where that ended, so that nothing that comes of
    /// it depends on where that was interrupted. The long trainings come first, so that none is left over at the end.
    ///
    /// - Parameter result: what there is of a trial.
    func open(_ trials: [Trial], result: (Trial) throws -> TrialResult?) rethrows -> [Open] {
        try paths(trials).compactMap { path in
            let results = try path.map(result)
            guard var first = results.firstIndex(where: { $0 == nil }) else { return nil }
            let before = first > 0 ? results[first - 1] : nil
            // A run of before kept no end: then from the path's start.
            if let before, before.failure == nil, before.end == nil { first = 0 }
            return Open(
                trials: Array(path[first...]), start: first > 0 ? before?.end : nil, isPath: path.count > 1)
        }
    }

    private func paths(_ trials: [Trial]) -> [[Trial]] {
        var paths: [[Trial]] = []
        for trial in trials {
            let own = candidates[trial.candidate]
            let path = paths.firstIndex { path in
                path[0].fold == trial.fold && path[0].replicate == trial.replicate
                    && own.isOnPath(with: candidates[path[0].candidate])
            }
            if let path { paths[path].append(trial) } else { paths.append([trial]) }
        }
        func cost(_ path: [Trial]) -> Int {
            let first = candidates[path[0].candidate]
            return first.pooling != nil
                ? 0
                : (first.options.optimizer == .lbfgs ? 1000 : 1)
                    * first.configuration.heads
        }
        return paths.map { path in
            path.sorted { candidates[$0.candidate].options.l2 > candidates[$1.candidate].options.l2 }
        }.enumerated().sorted { (cost($1.element), $0.offset) < (cost($0.element), $1.offset) }.map(\.element)
    }
}
