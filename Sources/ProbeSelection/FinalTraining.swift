import Activations
import Probes
import ProbeTraining
import Tensors

extension Selection {
    /// Trains what was chosen on all sequences, with all its seeds.
    ///
    /// - Parameter data: what each of its members is trained on.
    /// - Throws: `RoundEnd` after a share of it.
    func train(
        _ chosen: SelectionEntry, _ task: ProbeTask, _ journal: SelectionJournal, _ counter: TrialCounter,
        _ isInterrupted: @escaping @Sendable () -> Bool,
        on data: (SelectionEntry) -> ActivationSet
    ) throws -> Probe {
        let sets = chosen.members.map(data)
        let jobs = chosen.members.enumerated().flatMap { place, member in
            (0..<member.replicates).map { (place: place, replicate: $0) }
        }
        let keys = jobs.map { job in
            let member = chosen.members[job.place]
            let layer = (member.layers ?? chosen.layers).map { "\($0): " } ?? ""
            return layer
                + "\(member.candidate.key(among: [])), all sequences, replicate \(job.replicate)"
        }
        var probes = try jobs.indices.map { job in
            let (own, set) = (chosen.members[jobs[job].place].candidate, sets[jobs[job].place])
            let architecture = own.configuration.architecture(width: set.width, outputs: task.outputs)
            return try journal.probe(keys[job], parameters: architecture.tensors.parameterCount)
        }
        let open = probes.indices.filter { probes[$0] == nil }
        let mine = share?.own(open) ?? open
        counter.expect(mine.count)
        let trained = try Parallel.map(count: mine.count, threads: threads) { index in
            let job = mine[index]
            let (own, replicate) = (chosen.members[jobs[job].place].candidate, jobs[job].replicate)
            let fit = try Trainer(
                own.configuration,
                options: own.options(seed: seed, replicate, threads: max(1, threads / mine.count))
            ).fit(sets[jobs[job].place], task: task, isInterrupted: isInterrupted)
            guard fit.stop != .interrupted else { throw CancellationError() }
            try journal.add(keys[job], fit.probe)
            counter.count(own.name)
            return fit.probe
        }
        if share != nil { throw RoundEnd() }
        for (job, probe) in zip(open, trained) { probes[job] = probe }
        var next = 0
        return chosen.probe { member in
            defer { next += member.replicates }
            return probes[next..<next + member.replicates].map { $0! }
        }
    }
}
