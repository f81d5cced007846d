private import Foundation

/// Makes a limit on the size of files an error of who writes, where it would end the process. For programs,
/// at their start.
public func reportFileSizeLimit() { signal(SIGXFSZ, SIG_IGN) }

/// A file that appears whole or not at all: bytes go to a hidden file beside the target, which
/// takes the target's name when everything is written. Dropped without `commit`, it leaves nothing,
/// or if it is resumable the part that was written, in a file of its own.
///
/// A target that exists and is no regular file (a pipe, a device) is written in place.
public final class OutputFile {
    /// The target.
    public let path: String
    private let descriptor: Int32
    private let replacement: (temporary: String, target: String)?
    private var keepsPartial: Bool
    private var isCommitted = false

    /// Where a resumable write to a target keeps what it has so far.
    public static func partialPath(_ path: String) -> String { resolved(path) + ".partial" }

    // Through links, so that a link to a file stays a link, and what is renamed is on the same disk.
    private static func resolved(_ path: String) -> String {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return path }
        return URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    /// Opens a target for writing; an existing file keeps its content until `commit`.
    ///
    /// - Parameter resumingAt: nil for bytes that go to a hidden file and are dropped without
    ///   `commit`. Else they go to `partialPath`, after the first so many that are there already, and
    ///   stay there without `commit`.
    /// - Throws: `SystemError`, for example where its folder does not exist.
    public init(path: String, resumingAt: Int? = nil) throws(SystemError) {
        self.path = path
        keepsPartial = resumingAt != nil
        var status = stat()
        let exists = unsafe stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR {
            throw SystemError(operation: "write", path: path, code: EISDIR)
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            descriptor = Int32(unsafe try checked(Int(open(path, O_WRONLY | O_CLOEXEC)), "write", path))
            replacement = nil
            return
        }
        let target = Self.resolved(path)
        let temporary: String
        if resumingAt == nil {
            let folder = URL(fileURLWithPath: target).deletingLastPathComponent()
            temporary = folder.appendingPathComponent(".\(UInt32.random(in: 0 ... .max)).partial").path
        } else {
            temporary = Self.partialPath(path)
        }
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (resumingAt == nil ? O_EXCL : 0)
        descriptor = Int32(unsafe try checked(Int(open(temporary, flags, 0o666)), "write", path))
        if let resumingAt {
            // Two runs must not write one file.
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                close(descriptor)
                throw SystemError(operation: "lock", path: temporary, code: code)
            }
            _ = try checked(Int(ftruncate(descriptor, resumingAt)), "write", path)
            _ = try checked(lseek(descriptor, 0, SEEK_END), "write", path)
        }
        // A file that is replaced keeps its mode.
        if exists { fchmod(descriptor, status.st_mode & 0o777) }
        replacement = (temporary, target)
    }

    /// Finds out whether a target can be written, and leaves nothing. A pipe or device is not opened:
    /// its reader would see an end.
    ///
    /// - Throws: `SystemError`, as opening it would.
    public static func check(path: String) throws(SystemError) {
        var status = stat()
        if unsafe stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) { return }
        _ = try OutputFile(path: path)
    }

    /// The process's standard output, written as it comes.
    public static func standardOutput() throws(SystemError) -> OutputFile { try OutputFile(duplicating: 1) }

    private init(duplicating standard: Int32) throws(SystemError) {
        path = "standard output"
        keepsPartial = false
        descriptor = Int32(try checked(Int(dup(standard)), "write", path))
        replacement = nil
    }

    deinit {
        close(descriptor)
        if let replacement, !isCommitted, !keepsPartial { unsafe unlink(replacement.temporary) }
    }

    /// Appends bytes.
    public func write(_ bytes: [UInt8]) throws(SystemError) { unsafe try write(bytes.span.bytes) }

    /// Appends bytes.
    public func write(_ bytes: RawSpan) throws(SystemError) {
        var done = 0
        while done < bytes.byteCount {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Foundation.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if written == -1, errno == EINTR { continue }
            done += try checked(written, "write", path)
        }
    }

    /// Appends `count` bytes that `body` writes in parts.
    public func writeParts(_ count: Int, _ body: (OutputParts) throws -> Void) throws {
        let start = replacement == nil ? nil : try checked(lseek(descriptor, 0, SEEK_CUR), "write", path)
        try body(OutputParts(descriptor, path, start: start))
        if let start { _ = try checked(lseek(descriptor, off_t(start + count), SEEK_SET), "write", path) }
    }

    /// The file that holds what was written if there is no `commit`; nil if nothing will be left.
    public var partialPath: String? { keepsPartial && !isCommitted ? replacement?.temporary : nil }

    /// Leaves nothing without `commit`, resumable or not.
    public func keepNothing() { keepsPartial = false }

    /// Gives the target what was written.
    ///
    /// - Parameter isDurable: whether it is on disk before it takes the name, so that not even a power
    ///   failure leaves half of it. Copies of what is there anyway can do without, as `cp` does.
    public func commit(isDurable: Bool = true) throws(SystemError) {
        guard let replacement else { return }
        if isDurable { _ = try checked(Int(fsync(descriptor)), "write", path) }
        _ = unsafe try checked(Int(rename(replacement.temporary, replacement.target)), "replace", path)
        isCommitted = true
    }
}
