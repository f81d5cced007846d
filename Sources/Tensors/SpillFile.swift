private import Foundation

/// A file without a name that takes the place of memory: bytes are written to it, and then its pages are mapped
/// where the memory was. The system may drop them again, so that they are no memory of the process's own.
/// It is in the folder that TMPDIR names, or /var/tmp, and gone with the mapping.
final class SpillFile {
    private let descriptor: Int32
    private let path: String
    // Bytes before the first, so that pages of the file are pages of the memory.
    private let padding: Int

    /// A file for the bytes of a buffer.
    init(for buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        let chosen = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
        let folder = chosen.isEmpty ? "/var/tmp" : chosen
        path = "a file in \(folder)"
        let name = "\(folder)/.attention-probes-\(UInt64.random(in: 0 ... .max))"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        descriptor = Int32(unsafe try checked(Int(open(name, flags, 0o600)), "write", path))
        _ = unsafe unlink(name)
        padding = Int(bitPattern: buffer.baseAddress) % Int(getpagesize())
    }

    deinit { close(descriptor) }

    /// Writes bytes at a place in the buffer's stead.
    func write(_ bytes: UnsafeRawBufferPointer, at place: Int) throws(SystemError) {
        let parts = OutputParts(descriptor, path, start: padding)
        try unsafe parts.write(RawSpan(_unsafeBytes: bytes), at: place)
    }

    /// Gives the buffer what was written in its place: whole pages are mapped, the ends are read.
    func map(over buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        let page = Int(getpagesize())
        _ = try checked(Int(ftruncate(descriptor, off_t(padding + buffer.count))), "write", path)
        let start = min(buffer.count, (page - padding) % page)
        let end = start + (buffer.count - start) / page * page
        for range in [0..<start, end..<buffer.count] {
            var done = range.lowerBound
            while done < range.upperBound {
                let found = unsafe pread(
                    descriptor, buffer.baseAddress! + done, range.upperBound - done, off_t(padding + done))
                if found == -1, errno == EINTR { continue }
                done += try checked(found == 0 ? -1 : found, "read", path)
            }
        }
        guard start < end else { return }
        // Private and writable, as memory is: whoever frees it may use it again.
        let address = unsafe mmap(
            buffer.baseAddress! + start, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
            descriptor, off_t(padding + start))
        guard unsafe address != MAP_FAILED else {
            throw SystemError(operation: "read", path: path, code: errno)
        }
    }
}
