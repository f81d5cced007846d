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
    private let count: Int
    private let fetch: @Sendable (Range<Int>) -> HeldBytes
    private let kept: Kept

    // As long as there is a head, parts up to this size are fetched alone: what is read of a file when it is
    // opened are its head and a few short tensors, often at its end.
    private static let shortPart = 1 << 16

    /// - Parameters:
    ///   - count: how many there are.
    ///   - head: bytes from the start that are there already.
    ///   - fetch: gives a range of them: all, or where there is a head any other.
    init(
        count: Int, head: HeldBytes? = nil, kept: Kept = .files,
        fetch: @escaping @Sendable (Range<Int>) -> HeldBytes
    ) {
        state = Mutex(State(head: head))
        self.count = count
        self.kept = kept
        self.fetch = fetch
    }

    /// Lends bytes. Two threads may fetch at a time; each gets what it asked for.
    func withBytes<R, E: Error>(_ range: Range<Int>, _ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        let (there, hasHead) = state.withLock { state -> (HeldBytes?, Bool) in
            if let head = state.head, range.upperBound <= head.count { return (head, true) }
            return (state.whole, state.head != nil)
        }
        if let there { return try there.withBytes(range, body) }
        if hasHead, range.count <= Self.shortPart {
            return try fetch(range).withBytes(0..<range.count, body)
        }
        kept.makeRoom(count)
        let whole = fetch(0..<count)
        state.withLock { $0.whole = whole }
        // Not before: who makes room meanwhile could not drop what is not there yet.
        kept.add(self, count)
        return try whole.withBytes(range, body)
    }

    func forgetHead() { state.withLock { $0.head = nil } }

    fileprivate func forget() { state.withLock { $0.whole = nil } }
}

/// What was fetched last, up to a bound; what is fetched next stays in any case.
final class Kept: Sendable {
    /// Small files, of each thread its own, and few: what goes before the next comes leaves a buffer that
    /// is in the second-level cache, and copying a file there takes half the time. Four in any case, as a
    /// hidden state may be of several layers with a file each.
    static let files = Kept(most: 1 << 19, fewest: 4, isByThread: true)
    /// Archives, which take longer to read again.
    static let archives = Kept(most: 256 << 20, fewest: 1, isByThread: false)

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
    private let fewest: Int
    private let isByThread: Bool

    // Bytes, and how many stay though they have more, with what comes next.
    private init(most: Int, fewest: Int, isByThread: Bool) {
        self.most = most
        self.fewest = fewest
        self.isByThread = isByThread
    }

    /// Forgets the oldest bytes until there is room for others.
    func makeRoom(_ count: Int) {
        let thread = thread
        let dropped = queues.withLock { queues -> [OnDemandBytes] in
            // Threads come and go.
            if queues.count > 4 * Parallel.availableThreads {
                defer { queues.removeAll() }
                return queues.values.flatMap { $0.entries.map(\.owner) }
            }
            return queues[thread, default: Queue()].makeRoom(count, most, fewest)
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
