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
