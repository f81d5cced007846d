import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing

@testable import Tensors

@Suite("Work on several threads")
struct WaitingHelpersTests {
    @Test(
        "each index is taken once, whether calls come one upon the other, in each other or at the same time")
    func eachIndexOnce() throws {
        for threads in 1...5 {
            for count in [0, 1, 2, 7, 64] {
                let taken = Mutex([Int](repeating: 0, count: count))
                let results = try Parallel.map(count: count, threads: threads) { i in
                    taken.withLock { $0[i] += 1 }
                    return i * i
                }
                #expect(results == (0..<count).map { $0 * $0 })
                #expect(taken.withLock { $0.allSatisfy { $0 == 1 } })
            }
        }
        let sums = try Parallel.map(count: 200, threads: 4) { i in
            try Parallel.map(count: 20, threads: 3) { $0 * i }.reduce(0, +)
        }
        #expect(sums == (0..<200).map { 190 * $0 })
    }

    // Pauses are as long as helpers look for work, so that some find it, some have just ended, and some are asleep.
    @Test("helpers that look for work meet calls of several threads at any time")
    func patience() {
        let callers = (0..<3).map { caller in
            Worker {
                var generator = SeededGenerator(seed: UInt64(caller))
                for round in 0..<2000 {
                    let sum = try! Parallel.map(count: 6, threads: 3) { $0 + round }.reduce(0, +)
                    guard sum == 15 + 6 * round else { return false }
                    if round % 4 == 0 { usleep(UInt32.random(in: 0..<200, using: &generator)) }
                }
                return true
            }
        }
        #expect(callers.allSatisfy { $0.wait() })
    }

    @Test("the lowest index that ran and failed is told, and what follows is done")
    func failures() throws {
        struct Failure: Error, Equatable { let index: Int }
        for _ in 0..<200 {
            #expect(throws: Failure(index: 0)) {
                try Parallel.map(count: 16, threads: 4) { i -> Int in throw Failure(index: i) }
            }
        }
        #expect(try Parallel.map(count: 16, threads: 4) { $0 } == Array(0..<16))
    }

    @Test("who waits long for a helper sleeps")
    func sleeps() {
        let helpers = WaitingHelpers()
        let ended = Atomic(0)
        let hasBegun = Atomic(false)
        let caller = pthread_self()
        let before = processorTime()
        helpers.run(helpers: 1) {
            if pthread_equal(pthread_self(), caller) == 0 {
                hasBegun.store(true, ordering: .relaxed)
                usleep(400_000)
                ended.add(1, ordering: .relaxed)
                return
            }
            // Until the helper has come, for which other work of the process may leave no thread.
            for _ in 0..<10_000 where !hasBegun.load(ordering: .relaxed) { usleep(1000) }
        }
        guard hasBegun.load(ordering: .relaxed) else { return }
        // Of this thread alone: 0.4 s if it asked again and again.
        #expect(processorTime() - before < 0.2)
        #expect(ended.load(ordering: .relaxed) == 1)
    }

    private func processorTime() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// A thread of its own, and what it finds.
private final class Worker: Sendable {
    private let result = Mutex(false)
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Bool) {
        Thread.detachNewThread { [self] in
            let own = body()
            result.withLock { $0 = own }
            ended.signal()
        }
    }

    func wait() -> Bool {
        ended.wait()
        return result.withLock { $0 }
    }
}
