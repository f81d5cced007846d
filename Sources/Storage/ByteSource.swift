private import Glibc

/// The bytes of a file, or of memory that takes the place of one, read-only.
///
/// A large file is mapped into memory: its pages are read when they are first looked at, and the system may drop them
/// again, so a file larger than memory costs address space only. A small one is read whole when it is looked at, which
/// is faster than a mapping, and members of an archive are unpacked then; both are kept for a while (`KeptBytes`).
///
/// The bytes are those of the file when it was opened, as long as nobody shortens it.
@safe package final class ByteSource: Sendable {
    /// The path it was opened with, or what errors call it.
    package let path: String
    /// Length in bytes.
    package let count: Int
    private let kind: Kind
    // Nil where the bytes are fetched.
    private nonisolated(unsafe) let base: UnsafeRawPointer?

    private enum Kind {
        /// Pages of a file.
        case mapped(FileIdentity)
        /// A file that is read when it is looked at.
        case small(SmallFile)
        /// What is made when it is looked at.
        case made(OnDemandBytes)
        /// Memory of its own, or the caller's.
        case own, lent
    }

    /// Up to this size reading is twice as fast as mapping, looking at every page and unmapping, which
    /// makes the threads wait for each other.
    static let smallFile = 1 << 20

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
        let identity = FileIdentity(status)
        if count > Self.smallFile {
            let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor.number, 0)
            if let address = unsafe address, unsafe address != MAP_FAILED {
                unsafe base = UnsafeRawPointer(address)
                kind = .mapped(identity)
                // The system then reads and maps large files in pages of 2 MB where it can: a hint.
                if count >= 64 << 20 { unsafe madvise(address, count, MADV_HUGEPAGE) }
                return
            }
            // A process may have some 65,000 mappings; files beyond are read as they are needed.
            guard errno == ENOMEM, count <= 64 << 20 else {
                throw SystemError(operation: "map", path: path, code: errno)
            }
        }
        unsafe base = nil
        kind = .small(try SmallFile(path, descriptor, identity, count))
    }

    /// Bytes that are made when they are looked at, as a file.
    init(path: String, count: Int, bytes: OnDemandBytes) {
        self.path = path
        self.count = count
        unsafe base = nil
        kind = .made(bytes)
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
        kind = .own
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
        kind = .lent
    }

    /// Which byte of the file of lent bytes is the first of them.
    @unsafe package static func lead(_ bytes: UnsafeRawBufferPointer) -> Int {
        Int(bitPattern: bytes.baseAddress) & 63
    }

    deinit {
        switch kind {
        case .mapped: unsafe munmap(UnsafeMutableRawPointer(mutating: base!), count)
        case .own: unsafe base!.deallocate()
        case .small, .made, .lent: break
        }
    }

    /// Lends the bytes of a range, without a copy.
    ///
    /// - Precondition: the range lies inside the file.
    package func withBytes<R, E: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes outside \(path)")
        switch kind {
        case .small(let file): return try file.bytes.withBytes(range, body)
        case .made(let bytes): return try bytes.withBytes(range, body)
        case .mapped, .own, .lent: break
        }
        let bytes = unsafe UnsafeRawBufferPointer(
            start: unsafe base.map { unsafe $0 + range.lowerBound }, count: range.count)
        return try body(unsafe RawSpan(_unsafeBytes: bytes))
    }

    /// The file's length now, at most `count`. Less, and the bytes that are gone end the process when
    /// they are looked at, or of a small file are all NaN. A file that was renamed or deleted meanwhile
    /// keeps its bytes, but for a small one among more than the process may have open: nil.
    package var presentLength: Int? {
        switch kind {
        case .mapped(let identity): identity.length(at: path).map { min(count, $0) } ?? count
        case .small(let file): file.presentLength
        case .made, .own, .lent: count
        }
    }

    private var identity: FileIdentity? {
        switch kind {
        case .mapped(let identity): identity
        case .small(let file): file.identity
        case .made, .own, .lent: nil
        }
    }

    /// Whether it is a certain file, whatever path that was found by.
    package func isFile(_ other: FileIdentity) -> Bool { (identity ?? FileIdentity(path: path)) == other }

    /// Whether another process holds a lock (`flock`) on the file that keeps readers out.
    package var isLocked: Bool {
        if case .small(let file) = kind, let kept = file.kept { return kept.isLocked }
        return Storage.isLocked(path)
    }

    /// What kept bytes from being fetched, at least once since the file was opened; they were all 0xFF then, which
    /// is NaN. Always nil for a mapped file.
    package var damage: ZipArchive.Loss? {
        switch kind {
        case .small(let file): file.bytes.loss
        case .made(let bytes): bytes.loss
        case .mapped, .own, .lent: nil
        }
    }

    /// Whether it is a mapped file. Other files are read when they are looked at: bytes that are gone are NaN there,
    /// where they would end the process in a mapped file, and `populate` gains nothing; nor does it of lent memory.
    package var isMapped: Bool {
        if case .mapped = kind { true } else { false }
    }

    /// Lets go of what opening has read of a small file, unless that is all of it.
    package func forgetHead() {
        if case .small(let file) = kind, count > SmallFile.headSize { file.bytes.forgetHead() }
    }

    /// The file open once more, if it is still the one at the path and its bytes are as they are there.
    func reopened() -> Descriptor? {
        guard case .mapped(let identity) = kind, let opened = try? Descriptor(path),
            let status = try? opened.status(path)
        else { return nil }
        return FileIdentity(status) == identity ? opened : nil
    }

    /// Reads a range into memory and maps it, without looking at it. Failure leaves the pages to be
    /// read when they are looked at.
    func populate(_ range: Range<Int>) {
        guard isMapped, let base = unsafe base, !range.isEmpty else { return }
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
