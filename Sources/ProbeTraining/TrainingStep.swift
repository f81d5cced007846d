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
    private let last = Mutex(ContinuousClock.now)

    init(_ tell: @escaping @Sendable (TrainingStep) -> Void) { self.tell = tell }

    func callAsFunction(_ step: @autoclosure () -> TrainingStep) {
        last.withLock { last in
            let now = ContinuousClock.now
            guard now - last > .milliseconds(500) else { return }
            last = now
            tell(step())
        }
    }
}
