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

    private struct Queue {
        private(set) var entries: [(owner: OnDemandBytes, count: Int)] = []
        private var bytes = 0

        mutating func add(_ owner: OnDemandBytes, _ count: Int) {
            entries.append((owner, count))
            bytes += count
        }

        mutating func makeRoom(_ count: Int, _ most: Int, _ fewest: Int) -> [OnDemandBytes] {
            var dropped: [OnDemandBytes] = []
            while bytes + count > most, entries.count >= fewest, let oldest = entries.first {
                entries.removeFirst()
                bytes -= oldest.count
                dropped.append(oldest.owner)
            }
            return dropped
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
        let thread = thread
        let dropped = queues.withLock { queues -> [OnDemandBytes] in
            // Threads come and go.
            if queues.count > 4 * processorCount {
                defer { queues.removeAll() }
                return queues.values.flatMap { $0.entries.map(\.owner) }
            }
            return queues[thread, default: Queue()].makeRoom(count, most, fewestKept)
        }
        for owner in dropped { owner.forget() }
    }

    /// Says that bytes are there.
    func add(_ owner: OnDemandBytes, _ count: Int) {
        let thread = thread
        queues.withLock { $0[thread, default: Queue()].add(owner, count) }
    }

    private var thread: UInt { isByThread ? pthread_self() : 0 }
}
