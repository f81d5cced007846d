private import Glibc

/// Lets a write beyond the limit on the size of files (`ulimit -f`) fail with an error, where it would end the
/// process. For programs, at their start.
package func reportFileSizeLimit() { signal(SIGXFSZ, SIG_IGN) }

/// A file that appears whole or not at all: bytes go to a file without a name on the same disk, which
/// takes the target's name when everything is written. Dropped without `commit`, or killed, it leaves
/// nothing, or if it is resumable the part that was written, in a file of its own. (Where the disk knows
/// no files without a name, as NFS, it has a hidden one; if the process is killed, the next that writes into the
/// folder removes it.)
///
/// A target that exists and is no regular file (a pipe, a device) is written in place. One whose name no
/// other file can take, as a file that is mounted alone, gets the bytes copied when everything is written.
package final class OutputFile {
    /// The target.
    package let path: String
    /// Bytes written so far.
    package private(set) var byteCount = 0
    private let descriptor: Int32
    private let replacement: (temporary: String, target: String)?
    private let hasNoName: Bool
    private var keepsPartial: Bool
    private var isCommitted = false

    /// Where a resumable write to a target keeps what it has so far.
    package static func partialPath(_ path: String) -> String { OutputTarget.resolved(path) + ".partial" }

    /// Opens a target for writing; an existing file keeps its content until `commit`, and without it what is written is
    /// dropped.
    ///
    /// - Throws: `SystemError`, for example where its folder does not exist.
    package convenience init(path: String) throws(SystemError) {
        let target = try OutputTarget(path)
        target?.removeAbandoned()
        try self.init(path, target, target?.openTemporary(), isResumable: false)
    }

    /// Opens a target for writing behind what an earlier write has left in `partialPath`, where this one leaves what it has
    /// without `commit`. No other process writes there meanwhile.
    ///
    /// - Parameter kept: how many of the bytes that are there this one goes on behind; given the partial file, which may be
    ///   empty, and asked for after it has been locked. What it throws is thrown, and leaves the file as it is.
    /// - Throws: `SystemError`, "lock" where another process writes there.
    package convenience init(path: String, resuming kept: (String) throws -> Int) throws {
        let target = try OutputTarget(path)
        target?.removeAbandoned()
        try self.init(path, target, target.map { _ in try Self.openPartial(path) }, isResumable: true)
        if let replacement { try cut(to: kept(replacement.temporary)) }
    }

    private init(
        _ path: String, _ target: OutputTarget?,
        _ opened: (descriptor: Int32, name: String, hasNoName: Bool)?,
        isResumable: Bool
    ) throws(SystemError) {
        self.path = path
        keepsPartial = isResumable
        guard let target, let opened else {
            descriptor = Int32(
                try checked(Int(PathCalls.open(path, O_WRONLY | O_CLOEXEC)), "write", path))
            replacement = nil
            hasNoName = false
            return
        }
        (descriptor, hasNoName) = (opened.descriptor, opened.hasNoName)
        // A file that is replaced keeps its mode.
        if let mode = target.mode { fchmod(descriptor, mode) }
        replacement = (opened.name, target.path)
    }

    private static func openPartial(_ path: String) throws(SystemError) -> (
        descriptor: Int32, name: String, hasNoName: Bool
    ) {
        let name = partialPath(path)
        let flags = O_RDWR | O_CLOEXEC | O_CREAT
        let descriptor = Int32(try checked(Int(PathCalls.open(name, flags, 0o666)), "write", path))
        do throws(SystemError) {
            try OutputTarget.claim(descriptor, name)
        } catch {
            close(descriptor)
            throw error
        }
        return (descriptor, name, false)
    }

    /// Drops what is behind the first so many bytes of a file that is there; the next are written behind them.
    ///
    /// - Throws: `SystemError`, also where there are fewer.
    package func cut(to count: Int) throws(SystemError) {
        let end = try checked(lseek(descriptor, 0, SEEK_END), "write", path)
        guard count <= end else { throw SystemError(operation: "write", path: path, code: EIO) }
        _ = try checked(Int(ftruncate(descriptor, count)), "write", path)
        _ = try checked(lseek(descriptor, off_t(count), SEEK_SET), "write", path)
    }

    /// Finds out whether a target can be written, and leaves nothing. A pipe or device is not opened:
    /// its reader would see an end.
    ///
    /// - Throws: `SystemError`, as opening it would.
    package static func check(path: String) throws(SystemError) {
        if let status = PathCalls.status(path), ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) {
            return
        }
        _ = try OutputFile(path: path)
    }

    /// The process's standard output, written as it comes.
    package static func standardOutput() -> OutputFile {
        OutputFile(standard: STDOUT_FILENO, "standard output")
    }

    /// The process's standard error, written as it comes.
    package static func standardError() -> OutputFile {
        OutputFile(standard: STDERR_FILENO, "standard error")
    }

    private init(standard: Int32, _ name: String) {
        path = name
        keepsPartial = false
        descriptor = standard
        replacement = nil
        hasNoName = false
    }

    deinit {
        // Of a resumable file nothing is worth keeping where nothing is in it.
        if let replacement, !isCommitted, !hasNoName, !keepsPartial || isEmpty {
            PathCalls.remove(replacement.temporary)
        }
        // Standard output and error are the process's.
        if descriptor > STDERR_FILENO { close(descriptor) }
    }

    private var isEmpty: Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 && status.st_size == 0
    }

    /// Appends bytes.
    package func write(_ bytes: [UInt8]) throws(SystemError) { unsafe try write(bytes.span.bytes) }

    /// Appends bytes.
    package func write(_ bytes: RawSpan) throws(SystemError) {
        var done = 0
        while done < bytes.byteCount {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if written == -1, errno == EINTR { continue }
            done += try checked(written, "write", path)
        }
        byteCount += done
    }

    /// Appends `count` bytes that `body` writes in parts.
    package func writeParts(_ count: Int, _ body: (OutputParts) throws -> Void) throws {
        let start = replacement == nil ? nil : try checked(lseek(descriptor, 0, SEEK_CUR), "write", path)
        let parts = OutputParts(descriptor, path, start: start)
        try body(parts)
        byteCount += parts.byteCount
        if let start { _ = try checked(lseek(descriptor, off_t(start + count), SEEK_SET), "write", path) }
    }

    /// The file that holds what was written if there is no `commit`; nil if nothing will be left.
    package var partialPath: String? {
        keepsPartial && !isCommitted && !isEmpty ? replacement?.temporary : nil
    }

    /// Leaves nothing without `commit`, resumable or not.
    package func keepNothing() { keepsPartial = false }

    /// Gives the target what was written.
    ///
    /// - Parameter isDurable: whether it is on disk before it takes the name, so that not even a power
    ///   failure leaves half of it. Copies of what is there anyway can do without, as `cp` does.
    package func commit(isDurable: Bool = true) throws(SystemError) {
        guard let replacement else { return }
        if isDurable { _ = try checked(Int(fsync(descriptor)), "write", path) }
        if hasNoName {
            // A name of its own first: only a rename replaces what is there.
            _ = try checked(Int(PathCalls.link(descriptor, to: replacement.temporary)), "write", path)
        }
        if PathCalls.rename(replacement.temporary, to: replacement.target) != 0 {
            let code = errno
            defer { if hasNoName { PathCalls.remove(replacement.temporary) } }
            guard OutputTarget.isInPlace(code) else {
                throw SystemError(operation: "replace", path: path, code: code)
            }
            try OutputTarget.copy(descriptor, to: replacement.target, path, isDurable: isDurable)
            if !hasNoName { PathCalls.remove(replacement.temporary) }
        }
        isCommitted = true
    }
}
