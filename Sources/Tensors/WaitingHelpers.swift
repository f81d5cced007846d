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
        // Threads that look for a job.
        var waiting = 0

        mutating func join() -> Job? {
            guard let job = open.last else { return nil }
            if job.join() == 0 { open.removeLast() }
            return job
        }
    }

    private let state = Mutex(State())
    // How many jobs there have been, which is all that a thread that waits looks at.
    private let jobs = Atomic(0)
    // For how long a thread looks for the next job, in nanoseconds.
    private let patience: UInt64 = 100_000

    /// Runs `body` on this thread, and at the same time on up to `helpers` others.
    ///
    /// How many others come depends on which are free, so `body` has to do all of the work where none does.
    func run(helpers: Int, _ body: @Sendable () -> Void) {
        withoutActuallyEscaping(body) { body in
            let job = Job(body, wanted: helpers)
            let missing = state.withLock {
                $0.open.append(job)
                return helpers - $0.waiting
            }
            jobs.add(1, ordering: .releasing)
            for _ in 0..<max(0, missing) { DispatchQueue.global().async { self.help() } }
            job.call()
            // Who has not come by now need not.
            state.withLock { state in state.open.removeAll { $0 === job } }
            let end = DispatchTime.now().uptimeNanoseconds + patience
            while !job.hasEnded {
                if DispatchTime.now().uptimeNanoseconds < end { sched_yield() } else { job.sleep() }
            }
            job.forget()
        }
    }

    private func help() {
        while let job = next() {
            job.call()
            job.leave()
        }
    }

    // The next job; nil where none has come for a while.
    private func next() -> Job? {
        var known = jobs.load(ordering: .acquiring)
        let first = state.withLock { state in
            let job = state.join()
            if job == nil { state.waiting += 1 }
            return job
        }
        if let first { return first }
        let end = DispatchTime.now().uptimeNanoseconds + patience
        while true {
            let isLate = DispatchTime.now().uptimeNanoseconds > end
            let latest = jobs.load(ordering: .acquiring)
            if latest != known || isLate {
                known = latest
                let (job, isOver) = state.withLock { state in
                    let job = state.join()
                    if job != nil || isLate { state.waiting -= 1 }
                    return (job, job != nil || isLate)
                }
                if isOver { return job }
            }
            sched_yield()
        }
    }

    // Work, which is forgotten when its caller goes on: a helper may hold the job for longer.
    private final class Job: @unchecked Sendable {
        // Written before any helper comes and after all have gone.
        private var body: (@Sendable () -> Void)?
        // How many more helpers may come; under the lock of the state.
        private var wanted: Int
        // How many are at it.
        private let running = Atomic(0)
        private let isSlept = Atomic(false)
        private let wakes = DispatchSemaphore(value: 0)

        init(_ body: @escaping @Sendable () -> Void, wanted: Int) {
            (self.body, self.wanted) = (body, wanted)
        }

        // Not inlined, so that no reference to the work outlives the call.
        @inline(never) func call() { body?() }

        func forget() { body = nil }

        // Counts a helper that comes, and says how many more may.
        func join() -> Int {
            running.add(1, ordering: .relaxed)
            wanted -= 1
            return wanted
        }

        func leave() {
            if running.subtract(1, ordering: .sequentiallyConsistent).newValue == 0,
                isSlept.load(ordering: .sequentiallyConsistent)
            {
                wakes.signal()
            }
        }

        // Whether all that came have gone.
        var hasEnded: Bool { running.load(ordering: .acquiring) == 0 }

        // Sleeps until a helper has left, if not all have.
        func sleep() {
            isSlept.store(true, ordering: .sequentiallyConsistent)
            if running.load(ordering: .sequentiallyConsistent) > 0 { wakes.wait() }
        }
    }
}
