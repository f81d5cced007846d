private import Foundation

// Written before the handler that reads it is there.
private nonisolated(unsafe) var lostBytesMessage: StaticString = ""

/// A file mapped read-only into memory: its pages are read when they are first looked at, and the
/// system may drop them again, so a file larger than memory costs address space only.
///
/// The bytes are those of the file when it was opened, as long as nobody shortens it.
@safe public final class MappedFile: Sendable {
    /// The path it was opened with.
    public let path: String
    /// Length in bytes.
    public let count: Int
    private let inode: ino_t
    private nonisolated(unsafe) let base: UnsafeRawPointer?

    /// Maps a regular file. O(1).
    ///
    /// - Throws: `SystemError` where it cannot be opened or mapped, or is no regular file.
    public init(path: String) throws(SystemError) {
        let descriptor = unsafe try Int32(checked(Int(open(path, O_RDONLY | O_CLOEXEC)), "open", path))
        defer { close(descriptor) }
        var status = stat()
        _ = try unsafe checked(Int(fstat(descriptor, &status)), "read", path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            let code = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL
            throw SystemError(operation: "map", path: path, code: code)
        }
        self.path = path
        count = Int(status.st_size)
        inode = status.st_ino
        guard count > 0 else {
            unsafe base = nil
            return
        }
        let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw SystemError(operation: "map", path: path, code: errno)
        }
        unsafe base = UnsafeRawPointer(address)
        // The system then reads and maps large files in pages of 2 MB where it can: a hint.
        if count >= 64 << 20 { unsafe madvise(address, count, MADV_HUGEPAGE) }
    }

    deinit {
        if let base = unsafe base { unsafe munmap(UnsafeMutableRawPointer(mutating: base), count) }
    }

    /// Makes the loss of mapped bytes an input error of the whole process: where a file is cut or its disk
    /// fails while it is read, the process says so and exits with status 74 instead of crashing.
    ///
    /// For programs, once, at their start; a library leaves signals alone.
    ///
    /// - Parameter message: the line to write to standard error.
    public static func exitWhenBytesAreLost(_ message: StaticString) {
        unsafe lostBytesMessage = message
        signal(SIGBUS) { _ in
            // Only what may be called in a signal handler.
            _ = unsafe write(2, lostBytesMessage.utf8Start, lostBytesMessage.utf8CodeUnitCount)
            _exit(74)
        }
    }

    /// Lends the bytes of a range, without a copy.
    ///
    /// - Precondition: the range lies inside the file.
    public func withBytes<R, E: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes outside \(path)")
        let bytes = unsafe UnsafeRawBufferPointer(
            start: unsafe base.map { unsafe $0 + range.lowerBound }, count: range.count)
        return try body(unsafe RawSpan(_unsafeBytes: bytes))
    }

    /// The file's length now, at most `count`. Less, and looking at the bytes that are gone would end
    /// the process. A file that was renamed or deleted meanwhile keeps its bytes.
    public var presentLength: Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_ino == inode else { return count }
        return min(count, Int(status.st_size))
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
    public func bytes(_ range: Range<Int>) -> [UInt8] {
        withBytes(range) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    }
}

extension RawSpan {
    /// Lends the bytes as floats in place.
    ///
    /// - Precondition: the bytes are aligned for floats and hold a whole number of them.
    func withFloats<R, E: Error>(_ body: (Span<Float>) throws(E) -> R) throws(E) -> R {
        try unsafe withUnsafeBytes { (bytes) throws(E) -> R in try body(unsafe Span(_unsafeBytes: bytes)) }
    }
}

/// Copies one element of a trivial type out of bytes that may be unaligned. O(1).
///
/// - Precondition: the bytes hold an element.
public func load<T: BitwiseCopyable>(_ bytes: RawSpan, as type: T.Type) -> T {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: T.self)
}

/// Copies elements of a trivial type out of bytes that may be unaligned. O(n).
///
/// - Precondition: the bytes hold a whole number of elements.
public func loadArray<T: BitwiseCopyable>(_ bytes: RawSpan, of type: T.Type) -> [T] {
    let size = MemoryLayout<T>.size
    precondition(bytes.byteCount % size == 0, "bytes are no whole number of elements")
    return (0..<bytes.byteCount / size).map {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: $0 * size, as: T.self)
    }
}
