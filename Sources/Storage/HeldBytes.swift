private import Glibc
private import Synchronization

/// Bytes of its own that live as long as somebody holds them.
@safe package final class HeldBytes: Sendable {
    private enum Memory {
        case pool, heap, pages
        // All bytes are lost, and there may be more than the machine has.
        case none
    }

    let count: Int
    private let memory: Memory
    // Written by `init` alone.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer?

    /// Bytes that `fill` writes; false from it means that they are not to be had. Then they are all 0xFF,
    /// which is NaN in every type of floats: every product with it is NaN, and code that meets a NaN asks the
    /// file whether bytes were lost.
    ///
    /// - Parameters:
    ///   - isBrief: whether they are soon dropped and others of the kind needed.
    ///   - isPaged: whether they are pages of their own, which a file may take the place of, and which may be more
    ///     than the machine has. Where not even their addresses are to be had, `fill` gets no bytes.
    init(
        count: Int, isBrief: Bool = false, isPaged: Bool = false,
        fill: (UnsafeMutableRawBufferPointer) -> Bool
    ) {
        self.count = count
        let memory: Memory = isPaged ? .pages : isBrief && count <= BufferPool.size ? .pool : .heap
        let base: UnsafeMutableRawPointer?
        switch memory {
        case .pool: unsafe base = BufferPool.take()
        case .heap: unsafe base = .allocate(byteCount: max(count, 1), alignment: 64)
        case .pages, .none: unsafe base = Self.pages(count)
        }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base, count: base.map { _ in count } ?? 0)
        if unsafe fill(bytes) {
            (self.memory, unsafe self.base) = (memory, unsafe base)
        } else if memory == .pages {
            if let base = unsafe base { unsafe munmap(base, count) }
            (self.memory, unsafe self.base) = (.none, nil)
        } else {
            unsafe memset(base!, 0xFF, count)
            (self.memory, unsafe self.base) = (memory, unsafe base)
        }
    }

    deinit {
        switch memory {
        case .pool: unsafe BufferPool.giveBack(base!)
        case .heap: unsafe base!.deallocate()
        case .pages: unsafe munmap(base!, count)
        case .none: break
        }
    }

    private static func pages(_ count: Int) -> UnsafeMutableRawPointer? {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let address = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else { return nil }
        return unsafe address
    }

    func withBytes<R, E: Error>(_ range: Range<Int>, _ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        guard let base = unsafe base else {
            return try unsafe HeldBytes(count: range.count) { _ in false }.withBytes(0..<range.count, body)
        }
        let bytes = unsafe UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
        return try body(unsafe RawSpan(_unsafeBytes: bytes))
    }
}

// Buffers of one size for small files, used again and again: fresh memory has to be zeroed page by page
// by the system, which takes as long as reading the file.
private enum BufferPool {
    static let size = ByteSource.smallFile
    private static let mostFree = 4 * processorCount
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
