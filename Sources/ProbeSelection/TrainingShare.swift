// A selection whose trainings several processes do, in rounds. In a round each of them takes the same journal and does its
// share of the trainings that the journal leaves open and that need none of the others' results. What they add to it,
// together, is the journal of the next round, until nothing is open: then the selection has nothing left to train.
package import Activations
private import Synchronization

/// Every so many of the trainings that are open. Those of a path of penalties count as one, as each starts where the one
/// before has ended.
package final class TrainingShare: Sendable {
    private let number, count: Int
    private let seen = Mutex((jobs: 0, trainings: 0))

    /// A share of as many as there are.
    ///
    /// - Parameter count: 0 for a share of nothing, which only finds out what is open.
    /// - Precondition: `number` is from 0 to below `count`, or `count` is 0.
    package init(_ number: Int, of count: Int) {
        precondition(count == 0 || (0..<count).contains(number), "no such share")
        (self.number, self.count) = (number, count)
    }

    /// What all shares of this round have to train: paths of penalties and single trainings, and how many trainings that is.
    package var open: (jobs: Int, trainings: Int) { seen.withLock(\.self) }

    /// Whether it trains anything.
    var trainsAny: Bool { count > 0 }

    /// Those of some jobs that are of this share.
    ///
    /// - Parameters:
    ///   - open: the next ones of this round, the same for every share.
    ///   - trainings: how many a job has.
    func own<Job>(_ open: [Job], trainings: (Job) -> Int = { _ in 1 }) -> [Job] {
        let total = open.reduce(0) { $0 + trainings($1) }
        let first = seen.withLock { seen in
            defer { seen = (seen.jobs + open.count, seen.trainings + total) }
            return seen.jobs
        }
        return trainsAny
            ? open.enumerated().filter { (first + $0.offset) % count == number }.map(\.element) : []
    }
}

/// The end of a round: a share has been done, or there was nothing to do.
struct RoundEnd: Error {}

extension Selection {
    /// Does a share of what is to be trained next, into a journal. What is refused by `run` is refused here.
    ///
    /// - Parameters:
    ///   - share: tells afterwards what was open for all.
    ///   - eachLayer: whether the selection is one over layers.
    ///   - journal: a file with what is trained already; as `run` has it.
    package func train(
        _ share: TrainingShare, of data: ActivationSet, task: ProbeTask? = nil, eachLayer: Bool = false,
        journal: String, starting: (Folds) throws -> Void = { _ in },
        progress: @escaping @Sendable (Progress) -> Void = { _ in },
        isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) throws {
        var own = self
        own.share = share
        do {
            if eachLayer {
                _ = try own.run(
                    eachLayerOf: data, task: task, journal: journal, starting: starting, progress: progress,
                    isInterrupted: isInterrupted)
            } else {
                _ = try own.run(
                    data, task: task, journal: journal, starting: starting, progress: progress,
                    isInterrupted: isInterrupted)
            }
        } catch is RoundEnd {}
    }
}
