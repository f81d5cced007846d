private import Dispatch
private import Foundation
private import Synchronization

/// The one place where work is spread over threads. OpenBLAS itself runs on one (see `BLAS.swift`).
public enum Parallel {
    /// Number of processors this process may use.
    public static let availableThreads = max(1, ProcessInfo.processInfo.activeProcessorCount)

    /// The results of `body` for 0..<count in order, computed on up to `threads` threads.
    ///
    /// Each thread takes the next index that is free and has a workspace of its own, made once.
    /// What an index computes must not depend on the workspace's earlier use; then the results do
    /// not depend on the number of threads. If some indices throw, the error of the lowest one
    /// that ran is thrown.
    public static func map<Workspace, R>(
        count: Int, threads: Int, workspace: @Sendable () -> Workspace,
        _ body: @Sendable (Int, inout Workspace) throws -> R
    ) throws -> [R] {
        let workers = min(threads, count)
        guard workers > 1 else {
            var own = workspace()
            return try (0..<count).map { try body($0, &own) }
        }
        var results = [Result<R, any Error>?](repeating: nil, count: count)
        unsafe results.withUnsafeMutableBufferPointer { slots in
            nonisolated(unsafe) let slots = unsafe slots
            let next = Atomic(0)
            let failed = Atomic(false)
            DispatchQueue.concurrentPerform(iterations: workers) { _ in
                var own = workspace()
                while !failed.load(ordering: .relaxed) {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < count else { break }
                    // Every index is taken by one thread, so every slot has one writer.
                    unsafe slots[index] = Result { try body(index, &own) }
                    if case .failure = unsafe slots[index] { failed.store(true, ordering: .relaxed) }
                }
            }
        }
        return try results.compactMap { try $0?.get() }
    }

    /// `map` for work that needs no workspace.
    public static func map<R>(
        count: Int, threads: Int, _ body: @Sendable (Int) throws -> R
    ) throws -> [R] {
        try map(count: count, threads: threads, workspace: { () }) { index, _ in try body(index) }
    }
}
