import Synchronization

/// How far a training is within an epoch that takes long.
package struct TrainingStep: Sendable {
    /// The epoch that is under way, from 1; 0 while the scale of the dimensions is taken from all tokens.
    package let epoch: Int
    /// How many there will be at most.
    package let epochs: Int
    /// Steps of the epoch that are done, or parts of the tokens that were seen, and how many there are.
    package let done, total: Int
    /// Mean loss over the sequences of these steps; nil before the first.
    package let loss: Double?

    /// The fraction of all epochs that is done.
    package var fraction: Double {
        (Double(max(0, epoch - 1)) + (epoch > 0 ? Double(done) / Double(total) : 0)) / Double(epochs)
    }
}

/// Tells of steps twice a second at most, from any thread, one call at a time.
final class StepTeller: Sendable {
    private let tell: @Sendable (TrainingStep) -> Void
    // When it last told of a step, and the one that is under way.
    private let state = Mutex((last: ContinuousClock.now, current: TrainingStep?.none, most: 0))

    init(_ tell: @escaping @Sendable (TrainingStep) -> Void) { self.tell = tell }

    func callAsFunction(_ step: @autoclosure () -> TrainingStep) {
        state.withLock { state in
            let now = ContinuousClock.now
            guard now - state.last > .milliseconds(500) else { return }
            state.last = now
            tell(step())
        }
    }

    /// From now on this step is under way, of which `part` tells.
    func begin(_ step: TrainingStep) { state.withLock { ($0.current, $0.most) = (step, 0) } }

    /// So many sequences of so many have been seen in the step that is under way. Where a step evaluates several times, it has
    /// come as far as in the one that came furthest.
    func part(_ done: Int, of total: Int) {
        let (current, done) = state.withLock { state in
            state.most = max(state.most, done)
            return (state.current, state.most)
        }
        guard let step = current else { return }
        self(
            TrainingStep(
                epoch: step.epoch, epochs: step.epochs, done: step.done * total + done,
                total: step.total * total,
                loss: step.loss))
    }
}

/// Counts parts that end on any thread.
final class PartCount: Sendable {
    private let count = Atomic(0)

    /// So many more; how many there are now.
    func add(_ more: Int) -> Int { count.add(more, ordering: .relaxed).newValue }
}
