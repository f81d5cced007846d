private import Foundation

/// Makes a limit on the size of files an error of who writes, where it would end the process. For programs,
/// at their start.
public func reportFileSizeLimit() { signal(SIGXFSZ, SIG_IGN) }

/// A file that appears whole or not at all: bytes go to a file without a name on the same disk, which
/// takes the target's name when everything is written. Dropped without `commit`, or killed, it leaves
/// nothing, or if it is resumable the part that was written, in a file of its own. (Where the disk knows
/// no files without a name, as NFS, it has a hidden one, which stays if the process is killed.)
///
/// A target that exists and is no regular file (a pipe, a device) is written in place.
public final class OutputFile {
    /// The target.
    public let path: String
    private let descriptor: Int32
    private let replacement: (temporary: String, target: String)?
    private let hasNoName: Bool
    private var keepsPartial: Bool
    private var isCommitted = false

    /// Where a resumable write to a target keeps what it has so far.
    public static func partialPath(_ path: String) -> String { resolved(path) + ".partial" }

    // Through links, so that a link to a file stays a link, and what is renamed is on the same disk.
    private static func resolved(_ path: String) -> String {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return path }
        // Not Foundation's, to which a folder called ~ is the user's own.
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// Opens a target for writing; an existing file keeps its content until `commit`.
    ///
    /// - Parameter resumingAt: nil for bytes that go to a file without a name and are dropped without
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
            hasNoName = false
            return
        }
        let target = Self.resolved(path)
        let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "./"
        let temporary =
            resumingAt == nil
            ? "\(folder).\(UInt32.random(in: 0 ... .max)).partial"
            : Self.partialPath(path)
        let flags = O_WRONLY | O_CLOEXEC
        let nameless = resumingAt == nil ? Self.openNameless(in: folder, flags) : -1
        hasNoName = nameless != -1
        if nameless != -1 {
            descriptor = nameless
        } else {
            let creating = flags | O_CREAT | (resumingAt == nil ? O_EXCL : 0)
            descriptor = Int32(unsafe try checked(Int(open(temporary, creating, 0o666)), "write", path))
        }
        if let resumingAt {
            // Two runs must not write one file, nor one what another has just given the target's name.
            var opened = stat()
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, unsafe fstat(descriptor, &opened) == 0 else {
                let code = errno
                close(descriptor)
                throw SystemError(operation: "lock", path: temporary, code: code)
            }
            guard FileIdentity(path: temporary) == FileIdentity(opened) else {
                close(descriptor)
                throw SystemError(operation: "lock", path: temporary, code: EWOULDBLOCK)
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
        hasNoName = false
    }

    deinit {
        close(descriptor)
        if let replacement, !isCommitted, !keepsPartial, !hasNoName { unsafe unlink(replacement.temporary) }
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
        if hasNoName {
            // A name of its own first: only a rename replaces what is there.
            let link = unsafe linkat(
                AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, replacement.temporary, AT_SYMLINK_FOLLOW)
            _ = try checked(Int(link), "write", path)
        }
        guard unsafe rename(replacement.temporary, replacement.target) == 0 else {
            let code = errno
            if hasNoName { unsafe unlink(replacement.temporary) }
            throw SystemError(operation: "replace", path: path, code: code)
        }
        isCommitted = true
    }

    // A file without a name that may be given one later; -1 where there is no such thing.
    private static func openNameless(in folder: String, _ flags: Int32) -> Int32 {
        guard unsafe access("/proc/self/fd", X_OK) == 0 else { return -1 }
        // O_TMPFILE, which Swift does not import.
        return unsafe open(folder, flags | O_DIRECTORY | 0o20_000_000, 0o666)
    }
}
