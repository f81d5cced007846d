private import Glibc

/// The bytes of a file, read-only. A large file is mapped into memory: its pages are read when they
/// are first looked at, and the system may drop them again, so a file larger than memory costs address
/// space only. A small one is read whole when it is looked at, which is faster than a mapping.
///
/// The bytes are those of the file when it was opened, as long as nobody shortens it.
@safe package final class MappedFile: Sendable {
    /// The path it was opened with.
    package let path: String
    /// Length in bytes.
    package let count: Int
    private let identity: FileIdentity?
    private nonisolated(unsafe) let base: UnsafeRawPointer?
    private let onDemand: OnDemandBytes?
    private let damages: Damage?
    private let kept: Descriptor?
    private let memory: Memory

    // Whose the bytes at `base` are.
    private enum Memory { case mapped, own, lent }

    /// Up to this size reading is twice as fast as mapping, looking at every page and unmapping, which
    /// makes the threads wait for each other.
    static let smallFile = 1 << 20
    private static let headSize = 4096

    /// Opens a regular file. O(1).
    ///
    /// - Throws: `SystemError` where it cannot be opened or mapped, or is no regular file.
    package init(path: String) throws(SystemError) {
        let descriptor = try Descriptor(path)
        let status = try descriptor.status(path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            let code = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL
            throw SystemError(operation: "map", path: path, code: code)
        }
        self.path = path
        count = Int(status.st_size)
        identity = FileIdentity(status)
        memory = .mapped
        guard count > Self.smallFile else {
            unsafe base = nil
            damages = Damage()
            (onDemand, kept) = try Self.small(path, descriptor, FileIdentity(status), count, damages)
            return
        }
        let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor.number, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            // A process may have some 65,000 mappings; files beyond are read as they are needed.
            guard errno == ENOMEM, count <= 64 << 20 else {
                throw SystemError(operation: "map", path: path, code: errno)
            }
            unsafe base = nil
            damages = Damage()
            (onDemand, kept) = try Self.small(path, descriptor, FileIdentity(status), count, damages)
            return
        }
        (onDemand, kept, damages) = (nil, nil, nil)
        unsafe base = UnsafeRawPointer(address)
        // The system then reads and maps large files in pages of 2 MB where it can: a hint.
        if count >= 64 << 20 { unsafe madvise(address, count, MADV_HUGEPAGE) }
    }

    // The first bytes, and how to get all; the descriptor stays open where there are not too many.
    private static func small(
        _ path: String, _ descriptor: consuming Descriptor, _ identity: FileIdentity, _ count: Int,
        _ damage: Damage?
    ) throws(SystemError) -> (OnDemandBytes, Descriptor?) {
        var code: Int32 = 0
        let head = unsafe HeldBytes(count: min(count, headSize), isBrief: count > headSize) {
            let isRead = unsafe descriptor.read(into: $0)
            code = isRead ? 0 : errno == 0 ? EIO : errno
            return isRead
        }
        guard code == 0 else { throw SystemError(operation: "read", path: path, code: code) }
        let kept = descriptor.keep() ? descriptor : nil
        let bytes = OnDemandBytes(count: count, head: head) { range in
            HeldBytes(range, of: path, kept, identity) { damage?.report(.cut) }
        }
        return (bytes, kept)
    }

    /// Bytes that are made when they are looked at, as a file.
    init(path: String, count: Int, bytes: OnDemandBytes, damage: Damage) {
        self.path = path
        self.count = count
        identity = nil
        unsafe base = nil
        onDemand = bytes
        damages = damage
        kept = nil
        memory = .mapped
    }

    /// A copy of some bytes, as a file.
    ///
    /// - Parameter name: what errors call them.
    package init(copying bytes: [UInt8], name: String) {
        path = name
        count = bytes.count
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
        unsafe copy.copyBytes(from: bytes)
        unsafe base = UnsafeRawPointer(copy.baseAddress!)
        (identity, onDemand, damages, kept, memory) = (nil, nil, nil, nil, .own)
    }

    /// Bytes of the caller's memory, as a file. The first of them is byte `address % alignment`, so that what is
    /// aligned in the file is aligned in memory; bytes before it are not looked at.
    ///
    /// - Parameter name: what errors call them.
    /// - Precondition: the memory stays as it is while this lives.
    @unsafe package init(lending bytes: UnsafeRawBufferPointer, name: String) {
        path = name
        let lead = unsafe Self.lead(bytes)
        count = lead + bytes.count
        unsafe base = unsafe bytes.baseAddress.map { unsafe $0 - lead }
        (identity, onDemand, damages, kept, memory) = (nil, nil, nil, nil, .lent)
    }

    /// Which byte of the file of lent bytes is the first of them.
    @unsafe package static func lead(_ bytes: UnsafeRawBufferPointer) -> Int {
        Int(bitPattern: bytes.baseAddress) & 63
    }

    deinit {
        guard let base = unsafe base else { return }
        switch memory {
        case .mapped: unsafe munmap(UnsafeMutableRawPointer(mutating: base), count)
        case .own: unsafe base.deallocate()
        case .lent: break
        }
    }

    /// Lends the bytes of a range, without a copy.
    ///
    /// - Precondition: the range lies inside the file.
    package func withBytes<R, E: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes outside \(path)")
        if let onDemand {
            return try onDemand.withBytes(range, body)
        }
        let bytes = unsafe UnsafeRawBufferPointer(
            start: unsafe base.map { unsafe $0 + range.lowerBound }, count: range.count)
        return try body(unsafe RawSpan(_unsafeBytes: bytes))
    }

    /// The file's length now, at most `count`. Less, and the bytes that are gone end the process when
    /// they are looked at, or of a small file are all NaN. A file that was renamed or deleted meanwhile
    /// keeps its bytes, but for a small one among more than the process may have open: nil.
    package var presentLength: Int? {
        if let kept { return (try? kept.status(path)).map { min(count, Int($0.st_size)) } }
        guard let identity else { return count }
        var status = stat()
        guard unsafe stat(path, &status) == 0, FileIdentity(status) == identity else {
            return onDemand == nil || count <= Self.headSize ? count : nil
        }
        return min(count, Int(status.st_size))
    }

    /// Whether it is a certain file, whatever path that was found by.
    package func isFile(_ other: FileIdentity) -> Bool { (identity ?? FileIdentity(path: path)) == other }

    /// Whether another process holds a lock (`flock`) on the file that keeps readers out.
    package var isLocked: Bool { kept?.isLocked ?? Storage.isLocked(path) }

    /// What kept bytes from being fetched, at least once since the file was opened; they were all 0xFF then, which
    /// is NaN. Always nil for a mapped file.
    package var damage: ZipArchive.Loss? { damages?.found }

    /// Whether it is a mapped file. Other files are read when they are looked at: bytes that are gone are NaN there,
    /// where they would end the process in a mapped file, and `populate` gains nothing; nor does it of lent memory.
    package var isMapped: Bool { onDemand == nil && memory == .mapped }

    /// Lets go of what opening has read of a small file, unless that is all of it.
    package func forgetHead() {
        if count > Self.headSize { onDemand?.forgetHead() }
    }

    /// The file open once more, if it is still the one at the path and its bytes are as they are there.
    func reopened() -> Descriptor? {
        guard isMapped, let identity, let opened = try? Descriptor(path),
            let status = try? opened.status(path)
        else { return nil }
        return FileIdentity(status) == identity ? opened : nil
    }

    /// Reads a range into memory and maps it, without looking at it. Failure leaves the pages to be
    /// read when they are looked at.
    func populate(_ range: Range<Int>) {
        guard let base = unsafe base, !range.isEmpty else { return }
        let pageSize = Int(getpagesize())
        let start = range.lowerBound / pageSize * pageSize
        let address = unsafe UnsafeMutableRawPointer(mutating: base + start)
        // MADV_POPULATE_READ, which glibc's header does not name everywhere (Linux 5.14).
        unsafe madvise(address, range.upperBound - start, 22)
    }

    /// Copies the bytes of a range. O(range.count).
    package func bytes(_ range: Range<Int>) -> [UInt8] {
        withBytes(range) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    }
}

extension HeldBytes {
    // A range of a file that is still the one that was opened.
    fileprivate convenience init(
        _ range: Range<Int>, of path: String, _ kept: Descriptor?, _ identity: FileIdentity,
        lost: () -> Void
    ) {
        unsafe self.init(count: range.count, isBrief: true) { bytes in
            let isRead =
                if let kept {
                    unsafe kept.read(into: bytes, from: range.lowerBound)
                } else if let opened = try? Descriptor(path), let status = try? opened.status(path),
                    FileIdentity(status) == identity
                {
                    unsafe opened.read(into: bytes, from: range.lowerBound)
                } else {
                    false
                }
            if !isRead { lost() }
            return isRead
        }
    }
}

extension RawSpan {
    /// Lends the bytes as floats in place.
    ///
    /// - Precondition: the bytes are aligned for floats and hold a whole number of them.
    package func withFloats<R, E: Error>(_ body: (Span<Float>) throws(E) -> R) throws(E) -> R {
        try unsafe withUnsafeBytes { (bytes) throws(E) -> R in try body(unsafe Span(_unsafeBytes: bytes)) }
    }
}

/// Copies one element of a trivial type out of bytes that may be unaligned. O(1).
///
/// - Precondition: the bytes hold an element.
@inlinable package func load<T: BitwiseCopyable>(_ bytes: RawSpan, as type: T.Type) -> T {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: T.self)
}

/// Copies elements of a trivial type out of bytes that may be unaligned. O(n).
///
/// - Precondition: the bytes hold a whole number of elements.
@inlinable package func loadArray<T: BitwiseCopyable>(_ bytes: RawSpan, of type: T.Type) -> [T] {
    let size = MemoryLayout<T>.size
    precondition(bytes.byteCount % size == 0, "bytes are no whole number of elements")
    return (0..<bytes.byteCount / size).map {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * size, as: T.self)
    }
}
