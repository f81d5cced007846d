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
                #expect(
                    try Parallel.map(count: count, threads: threads) { $0 * $0 }
                        == (0..<count).map { $0 * $0 })
            }
        }
        let sums = try Parallel.map(count: 200, threads: 4) { i in
            try Parallel.map(count: 20, threads: 3) { $0 * i }.reduce(0, +)
        }
        #expect(sums == (0..<200).map { 190 * $0 })
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
        let calls = Atomic(0)
        let ended = Atomic(0)
        // The first to come returns once the other has begun, and that one takes its time.
        let caller = pthread_self()
        let before = processorTime()
        helpers.run(helpers: 1) {
            calls.add(1, ordering: .relaxed)
            if pthread_equal(pthread_self(), caller) != 0 {
                while calls.load(ordering: .relaxed) < 2 { sched_yield() }
            } else {
                usleep(400_000)
                ended.add(1, ordering: .relaxed)
            }
        }
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
