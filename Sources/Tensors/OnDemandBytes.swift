private import Foundation
private import Synchronization

/// Bytes of its own that live as long as somebody holds them.
@safe final class HeldBytes: Sendable {
    let count: Int
    private let isPooled: Bool
    // Written by `init` alone.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer

    /// Bytes that `fill` writes; false from it means that they are not to be had. Then they are all 0xFF,
    /// which is NaN in every type of floats: no product hides it, and who finds one asks for the fault.
    ///
    /// - Parameter isBrief: whether they are soon dropped and others of the kind needed.
    init(count: Int, isBrief: Bool = false, fill: (UnsafeMutableRawBufferPointer) -> Bool) {
        self.count = count
        isPooled = isBrief && count <= BufferPool.size
        unsafe base = isPooled ? BufferPool.take() : .allocate(byteCount: max(count, 1), alignment: 64)
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
        if unsafe !fill(bytes) { unsafe memset(base, 0xFF, count) }
    }

    deinit {
        if isPooled { unsafe BufferPool.giveBack(base) } else { unsafe base.deallocate() }
    }

    func withBytes<R, E: Error>(_ range: Range<Int>, _ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        let bytes = unsafe UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
        return try body(unsafe RawSpan(_unsafeBytes: bytes))
    }
}

// Buffers of one size for small files, used again and again: fresh memory has to be zeroed page by page
// by the system, which takes as long as reading the file.
private enum BufferPool {
    static let size = MappedFile.smallFile
    private static let mostFree = 4 * Parallel.availableThreads
    private static let free = Mutex<[UInt]>([])

    static func take() -> UnsafeMutableRawPointer {
        guard let address = free.withLock({ $0.popLast() }) else {
            return .allocate(byteCount: size, alignment: 64)
        }
        return unsafe UnsafeMutableRawPointer(bitPattern: address)!
    }

    static func giveBack(_ base: UnsafeMutableRawPointer) {
        let isKept = free.withLock { free in
            guard free.count < mostFree else { return false }
            free.append(UInt(bitPattern: base))
            return true
        }
        if !isKept { unsafe base.deallocate() }
    }
}

/// Bytes that are fetched when they are looked at and dropped some time later: thousands of small
/// files cost neither a mapping nor memory each.
final class OnDemandBytes: Sendable {
    private struct State {
        var head: HeldBytes?
        var whole: HeldBytes?
    }
    private let state: Mutex<State>
    private let fetch: @Sendable () -> HeldBytes
    private let kept: Kept

    /// - Parameters:
    ///   - head: bytes from the start that are there already.
    ///   - fetch: gives them all.
    init(head: HeldBytes? = nil, kept: Kept = .files, fetch: @escaping @Sendable () -> HeldBytes) {
        state = Mutex(State(head: head))
        self.kept = kept
        self.fetch = fetch
    }

    /// Bytes that hold those before `end`. Two threads may fetch at a time; each gets what it asked for.
    func bytes(before end: Int) -> HeldBytes {
        let there = state.withLock { state -> HeldBytes? in
            if let head = state.head, end <= head.count { return head }
            return state.whole
        }
        if let there { return there }
        let whole = fetch()
        state.withLock { $0.whole = whole }
        kept.add(self, whole.count)
        return whole
    }

    func forgetHead() { state.withLock { $0.head = nil } }

    fileprivate func forget() { state.withLock { $0.whole = nil } }
}

/// What was fetched last, up to a bound; what the threads are at stays in any case.
final class Kept: Sendable {
    /// Small files. Few, so that the buffers that go round stay in the second-level cache: with 8 MB
    /// copying a file out of the system's memory takes twice as long.
    static let files = Kept(most: 1 << 20, fewest: 2 * Parallel.availableThreads)
    /// Archives, which take longer to read again.
    static let archives = Kept(most: 256 << 20, fewest: 1)

    private struct Queue {
        var entries: [(owner: OnDemandBytes, count: Int)] = []
        var first = 0
        var bytes = 0
    }
    private let queue = Mutex(Queue())
    private let most: Int
    private let fewest: Int

    // Bytes, and how many stay though they have more.
    private init(most: Int, fewest: Int) {
        self.most = most
        self.fewest = fewest
    }

    func add(_ owner: OnDemandBytes, _ count: Int) {
        let dropped = queue.withLock { queue -> [OnDemandBytes] in
            queue.entries.append((owner, count))
            queue.bytes += count
            var dropped: [OnDemandBytes] = []
            while queue.bytes > most, queue.entries.count - queue.first > fewest {
                let entry = queue.entries[queue.first]
                queue.first += 1
                queue.bytes -= entry.count
                if entry.owner !== owner { dropped.append(entry.owner) }
            }
            if queue.first > 4096 {
                queue.entries.removeFirst(queue.first)
                queue.first = 0
            }
            return dropped
        }
        for owner in dropped { owner.forget() }
    }
}
