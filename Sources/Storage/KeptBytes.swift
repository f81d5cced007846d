private import Glibc
private import Synchronization

/// What was fetched last, up to a bound; what is fetched next stays in any case.
package final class KeptBytes: Sendable {
    /// Small files, of each thread its own, and few: what goes before the next comes leaves a buffer that
    /// is in the second-level cache, and copying a file there takes half the time.
    static let files = KeptBytes(most: 1 << 18, isByThread: true)
    /// Archives, which take longer to read again.
    static let archives = KeptBytes(most: 256 << 20, isByThread: false)
    /// What is in nameless files on disk in place of memory: half of what there is room for.
    static let spilled = KeptBytes(most: SpillFile.freeBytes / 2, isByThread: false)

    /// Lets so many files stay, whatever they have together, as long as it lives: a hidden state of several
    /// layers, each in a file of its own, needs all of them at once.
    package final class Claim: Sendable {
        private static let claims = Mutex<[Int: Int]>([:])
        private let count: Int

        package init(atLeast count: Int) {
            self.count = count
            Self.change(count, by: 1)
        }

        deinit { Self.change(count, by: -1) }

        private static func change(_ count: Int, by step: Int) {
            claims.withLock { claims in
                claims[count, default: 0] += step
                if claims[count] == 0 { claims[count] = nil }
                let fewest = max(1, claims.keys.max() ?? 1)
                for kept in [files, archives, spilled] { kept.fewest.store(fewest, ordering: .relaxed) }
            }
        }
    }

    /// The entry of bytes in the queue that they are kept in.
    struct Place {
        fileprivate let queue: Queue
        fileprivate let number: UInt64

        /// Says that the bytes are gone.
        func leave() { queue.remove(number) }
    }

    fileprivate final class Queue: Sendable {
        private struct Entries {
            var byNumber: [UInt64: (owner: Weak, count: Int)] = [:]
            // No entry has a smaller number than `first`, nor one of `next` or more.
            var first: UInt64 = 0
            var next: UInt64 = 0
            var bytes = 0
        }
        // Weak, so that bytes, and the files they are of, go when nobody else holds their owner.
        private struct Weak { weak let owner: OnDemandBytes? }
        private let entries = Mutex(Entries())

        func add(_ owner: OnDemandBytes, _ count: Int) -> Place {
            entries.withLock { entries in
                defer { entries.next += 1 }
                entries.byNumber[entries.next] = (Weak(owner: owner), count)
                entries.bytes += count
                return Place(queue: self, number: entries.next)
            }
        }

        func remove(_ number: UInt64) {
            entries.withLock { entries in
                entries.bytes -= entries.byNumber.removeValue(forKey: number)?.count ?? 0
            }
        }

        // Owners are returned, not let go here: one that ends removes its entry, for which it needs the lock.
        func makeRoom(_ count: Int, _ most: Int, _ fewest: Int) -> [OnDemandBytes] {
            entries.withLock { entries in
                var dropped: [OnDemandBytes] = []
                while entries.bytes + count > most, entries.byNumber.count >= max(1, fewest) {
                    if let oldest = entries.byNumber.removeValue(forKey: entries.first) {
                        entries.bytes -= oldest.count
                        if let owner = oldest.owner.owner { dropped.append(owner) }
                    }
                    entries.first += 1
                }
                return dropped
            }
        }
    }
    private let queues = Mutex<[UInt: Queue]>([:])
    private let most: Int
    private let isByThread: Bool
    private let fewest = Atomic(1)
    /// How many stay though they have more, with what comes next.
    var fewestKept: Int { fewest.load(ordering: .relaxed) }

    package init(most: Int, isByThread: Bool) {
        self.most = most
        self.isByThread = isByThread
    }

    /// Forgets the oldest bytes until there is room for others.
    func makeRoom(_ count: Int) {
        for owner in withQueue({ $0.makeRoom(count, most, fewestKept) }) { owner.forget() }
    }

    /// Says that bytes are there.
    func add(_ owner: OnDemandBytes, _ count: Int) -> Place { withQueue { $0.add(owner, count) } }

    // Lends the queue of this thread, or the one that all threads share. No other thread can remove it meanwhile.
    private func withQueue<R>(_ body: (Queue) -> R) -> R {
        let thread = isByThread ? pthread_self() : 0
        let (result, dropped) = queues.withLock { queues -> (R, [OnDemandBytes]) in
            var dropped: [OnDemandBytes] = []
            // Threads come and go.
            if queues[thread] == nil, queues.count > 4 * processorCount {
                // With -1 bytes allowed everything is dropped.
                dropped = queues.values.flatMap { $0.makeRoom(0, -1, 1) }
                queues.removeAll()
            }
            let queue = queues[thread] ?? Queue()
            queues[thread] = queue
            return (body(queue), dropped)
        }
        for owner in dropped { owner.forget() }
        return result
    }
}
