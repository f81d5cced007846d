private import Foundation
private import Synchronization

/// Bytes of its own that live as long as somebody holds them.
@safe final class HeldBytes: Sendable {
    private enum Memory {
        case pool, heap, pages
    }

    let count: Int
    private let memory: Memory
    // Written by `init` alone.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer

    /// Bytes that `fill` writes; false from it means that they are not to be had. Then they are all 0xFF,
    /// which is NaN in every type of floats: no product hides it, and who finds one asks for the fault.
    ///
    /// - Parameters:
    ///   - isBrief: whether they are soon dropped and others of the kind needed.
    ///   - isPaged: whether they are pages of their own, which a file may take the place of, and which may be more
    ///     than the machine has.
    init(
        count: Int, isBrief: Bool = false, isPaged: Bool = false,
        fill: (UnsafeMutableRawBufferPointer) -> Bool
    ) {
        self.count = count
        memory = isPaged ? .pages : isBrief && count <= BufferPool.size ? .pool : .heap
        switch memory {
        case .pool: unsafe base = BufferPool.take()
        case .heap: unsafe base = .allocate(byteCount: max(count, 1), alignment: 64)
        case .pages: unsafe base = Self.pages(count)
        }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
        guard unsafe !fill(bytes) else { return }
        switch memory {
        case .pool, .heap: unsafe memset(base, 0xFF, count)
        case .pages: unsafe Self.mark(bytes)
        }
    }

    deinit {
        switch memory {
        case .pool: unsafe BufferPool.giveBack(base)
        case .heap: unsafe base.deallocate()
        case .pages: unsafe munmap(base, count)
        }
    }

    // Makes pages all 0xFF, the same few again and again: of others there may not be enough.
    private static func mark(_ pages: UnsafeMutableRawBufferPointer) {
        let size = min(pages.count, 1 << 24)
        let name = "/attention-probes-\(UInt64.random(in: 0 ... .max))"
        let file = unsafe shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        _ = unsafe shm_unlink(name)
        defer { close(file) }
        guard file >= 0, ftruncate(file, off_t(size)) == 0 else { fatalError("no memory for \(size) bytes") }
        for start in stride(from: 0, to: pages.count, by: size) {
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: pages[start..<min(start + size, pages.count)])
            let isMapped = unsafe mmap(
                part.baseAddress!, part.count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0)
            guard unsafe isMapped != MAP_FAILED else {
                fatalError("no address space for \(part.count) bytes")
            }
            if start == 0 { unsafe memset(part.baseAddress!, 0xFF, part.count) }
        }
    }

    private static func pages(_ count: Int) -> UnsafeMutableRawPointer {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let address = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            fatalError("no address space for \(count) bytes")
        }
        return unsafe address
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
