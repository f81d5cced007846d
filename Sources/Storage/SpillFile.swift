private import FoundationEssentials
private import Glibc

/// A file without a name that takes the place of memory: bytes are written to it, and then its pages are mapped
/// where the memory was. The system may drop them again, so that they are no memory of the process's own.
/// It is in the folder that TMPDIR names, or /var/tmp, and gone with the mapping.
final class SpillFile {
    private let descriptor: Int32
    private let path: String

    /// Where such files are.
    static var folder: String {
        let chosen = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
        return chosen.isEmpty ? "/var/tmp" : chosen
    }

    /// Bytes that the folder has room for; all there can be where it does not say.
    static var freeBytes: Int {
        guard let status = PathCalls.freeSpace(folder) else { return .max }
        let (bytes, isMore) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int(status.f_frsize))
        return isMore ? .max : bytes
    }

    init() throws(SystemError) {
        let folder = Self.folder
        path = "a file in \(folder)"
        let nameless = OutputTarget.openNameless(in: folder, O_RDWR | O_CLOEXEC)
        guard nameless == -1 else {
            descriptor = nameless
            return
        }
        let name = "\(folder)/.attention-probes-\(UInt64.random(in: 0 ... .max))"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        descriptor = Int32(try checked(Int(PathCalls.open(name, flags, 0o600)), "write", path))
        PathCalls.remove(name)
    }

    deinit { close(descriptor) }

    /// Writes bytes at a place in the memory's stead.
    func write(_ bytes: RawSpan, at place: Int) throws(SystemError) {
        try OutputParts(descriptor, path, start: 0).write(bytes, at: place)
    }

    /// Maps what was written in the place of pages of memory.
    ///
    /// - Precondition: `buffer` begins with a page, and the last is its own too.
    func map(over buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        // What was not written are zeros; behind the end of a file would be no bytes.
        _ = try checked(Int(ftruncate(descriptor, off_t(buffer.count))), "write", path)
        let address = unsafe mmap(
            buffer.baseAddress!, buffer.count, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, 0)
        guard unsafe address != MAP_FAILED else {
            throw SystemError(operation: "read", path: path, code: errno)
        }
    }
}
