private import Dispatch
private import Glibc
private import Synchronization
import Storage

/// The one place where work is spread over threads. OpenBLAS itself runs on one (see `BLAS.swift`).
public enum Parallel {
    /// Number of processors this process may use.
    public static let availableThreads = processorCount

    /// The results of `body` for 0..<count in order, computed on up to `threads` threads.
    ///
    /// Each thread takes the next index that is free and has a workspace of its own, made once.
    /// What an index computes must not depend on the workspace's earlier use; then the results do
    /// not depend on the number of threads. If some indices throw, the error of the lowest one
    /// that ran is thrown.
    package static func map<Workspace, R>(
        count: Int, threads: Int, workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, inout Workspace) throws -> R
    ) throws -> [R] {
        var results = [R?](repeating: nil, count: count)
        try unsafe results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = unsafe slots
            // Every index is taken by one thread, so every slot has one writer.
            try forEach(count: count, threads: threads, workspace: workspace) { index, own in
                unsafe slots[index] = try body(index, &own)
            }
        }
        return results.map { $0! }
    }

    /// A count×columns matrix of which `body` writes row after row, in the manner of `map`: no
    /// memory is allocated for a row.
    package static func matrix<Workspace>(
        rows count: Int, columns: Int, threads: Int, workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, inout MutableSpan<Float>, inout Workspace) throws -> Void
    ) throws -> Matrix {
        var storage = [Float](repeating: 0, count: count * columns)
        _ = try changeParts(
            of: &storage, at: (0...count).map { $0 * columns }, threads: threads, workspace: workspace, body)
        return Matrix(rows: count, columns: columns, storage: storage)
    }

    // Whether so many threads can be started, as far as that is limited: the system waits for ever for those that have
    // no addresses for their stacks.
    private static func hasRoom(forThreads count: Int) -> Bool {
        guard isLimited else { return true }
        let size = count * (16 << 20)
        let address = unsafe mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else { return false }
        unsafe munmap(address, size)
        return true
    }

    private static let isLimited: Bool = {
        var limit = rlimit()
        return unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0
            && limit.rlim_cur != rlim_t.max
    }()

    static func forEach<Workspace>(
        count: Int, threads: Int, workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, inout Workspace) throws -> Void
    ) throws {
        let workers = min(threads, count)
        guard workers > 1, hasRoom(forThreads: workers - 1) else {
            var own = workspace()
            for index in 0..<count { try body(index, &own) }
            return
        }
        let next = Atomic(0)
        let failed = Atomic(false)
        let failure = Mutex<(index: Int, error: any Error)?>(nil)
        WaitingHelpers.shared.run(helpers: workers - 1) {
            guard next.load(ordering: .relaxed) < count else { return }
            var own = workspace()
            while !failed.load(ordering: .relaxed) {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { break }
                do {
                    try body(index, &own)
                } catch {
                    failed.store(true, ordering: .relaxed)
                    failure.withLock { if index < $0?.index ?? count { $0 = (index, error) } }
                }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
    }

    /// `map` for work that needs no workspace.
    package static func map<R>(
        count: Int, threads: Int, _ body: @Sendable (Int) throws -> R
    ) throws -> [R] {
        try map(count: count, threads: threads, workspace: { () }) { index, _ in try body(index) }
    }
}
