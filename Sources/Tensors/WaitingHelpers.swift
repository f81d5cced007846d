private import Dispatch
private import Glibc
private import Synchronization

/// Threads that, when their work is done, look for more for a while before they sleep. Waking one takes as long as some
/// calls do, so where calls come one upon the other it is best not to let them sleep.
final class WaitingHelpers: Sendable {
    static let shared = WaitingHelpers()

    private struct State {
        // Jobs that more helpers may join.
        var open: [Job] = []
        // Helpers that look for a job, or were asked for and have not begun.
        var idle = 0

        // How many more helpers are to be asked for.
        mutating func missing(for job: Job) -> Int {
            open.append(job)
            let missing = max(0, min(job.wanted, open.reduce(0) { $0 + $1.wanted } - idle))
            idle += missing
            return missing
        }

        // A job for an idle helper.
        mutating func join() -> Job? {
            guard let job = open.last else { return nil }
            idle -= 1
            job.join()
            if job.wanted == 0 { open.removeLast() }
            return job
        }
    }

    private let state = Mutex(State())
    // How many jobs there have been, which is all that a thread that waits looks at.
    private let jobs = Atomic(0)

    // In nanoseconds: for how long a thread looks for the next job, and after how long it lets other work of the process
    // have it first, if there is any.
    private static let patience: UInt64 = 100_000
    private static let turn: UInt64 = 10_000_000
    // More do not look for work at the same time.
    private static let mostIdle = 8

    private static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Runs `body` on this thread, and at the same time on up to `helpers` others.
    ///
    /// How many others come depends on which are free, so `body` has to do all of the work where none does. One that comes
    /// late finds it done.
    func run(helpers: Int, _ body: @Sendable () -> Void) {
        precondition(helpers > 0, "no helpers")
        withoutActuallyEscaping(body) { body in
            let job = Job(body, wanted: helpers)
            let missing = state.withLock { $0.missing(for: job) }
            jobs.add(1, ordering: .releasing)
            for _ in 0..<missing { start() }
            job.call()
            // Nobody may join any more.
            state.withLock { state in state.open.removeAll { $0 === job } }
            let end = Self.now + Self.patience
            while !job.hasEnded {
                if Self.now < end { sched_yield() } else { job.sleep() }
            }
            job.forget()
        }
    }

    // A helper that is counted as idle already.
    private func start() { DispatchQueue.global().async { self.help() } }

    private func help() {
        let end = Self.now + Self.turn
        while let job = next() {
            job.call()
            // Before the caller goes on, so that it need not ask for another.
            state.withLock { $0.idle += 1 }
            job.leave()
            if Self.now > end { return start() }
        }
    }

    // The next job; nil where none has come for a while.
    private func next() -> Job? {
        var known = jobs.load(ordering: .acquiring)
        var isLate = state.withLock { $0.open.isEmpty && $0.idle > Self.mostIdle }
        let end = Self.now + Self.patience
        // At first it may have missed some.
        var isNew = true
        while true {
            if isNew || isLate {
                let (job, isOver) = state.withLock { state in
                    let job = state.join()
                    if job == nil, isLate { state.idle -= 1 }
                    return (job, job != nil || isLate)
                }
                if isOver { return job }
            }
            sched_yield()
            let latest = jobs.load(ordering: .acquiring)
            (isNew, known) = (latest != known, latest)
            isLate = Self.now > end
        }
    }

    // Work, which is forgotten when its caller goes on: a helper may hold the job for longer.
    private final class Job: @unchecked Sendable {
        // Written before any helper comes and after all have gone.
        private var body: (@Sendable () -> Void)?
        // How many more helpers may come; under the lock of the state.
        private(set) var wanted: Int
        // How many are at it.
        private let running = Atomic(0)
        private let callerSleeps = Atomic(false)
        private let wakes = DispatchSemaphore(value: 0)

        init(_ body: @escaping @Sendable () -> Void, wanted: Int) {
            (self.body, self.wanted) = (body, wanted)
        }

        // Not inlined, so that no reference to the work outlives the call.
        @inline(never) func call() { body?() }

        func forget() { body = nil }

        // A helper comes.
        func join() {
            running.add(1, ordering: .relaxed)
            wanted -= 1
        }

        // A helper goes.
        func leave() {
            if running.subtract(1, ordering: .sequentiallyConsistent).newValue == 0,
                callerSleeps.load(ordering: .sequentiallyConsistent)
            {
                wakes.signal()
            }
        }

        // Whether all that came have gone.
        var hasEnded: Bool { running.load(ordering: .acquiring) == 0 }

        // Sleeps until a helper has gone, if not all have.
        func sleep() {
            callerSleeps.store(true, ordering: .sequentiallyConsistent)
            if running.load(ordering: .sequentiallyConsistent) > 0 { wakes.wait() }
        }
    }
}
