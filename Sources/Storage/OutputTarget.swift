private import FoundationEssentials
internal import Glibc
private import Synchronization

/// Where an `OutputFile` that is no pipe or device goes: what its path leads to, and whether it can go there.
struct OutputTarget {
    // As messages name it.
    private let given: String
    /// The path without links, so that a link to a file stays a link, and what is renamed is on the same disk.
    let path: String
    /// The permissions of the file that is there; nil where there is none.
    let mode: mode_t?

    /// - Returns: nil for a pipe or a device, which is written in place.
    /// - Throws: `SystemError` for a folder, a name that no file can have, and a file that can be neither
    ///   replaced nor written.
    init?(_ path: String) throws(SystemError) {
        given = path
        guard let status = PathCalls.status(path) else {
            guard errno == ENOENT else {
                throw SystemError(operation: "write", path: path, code: errno)
            }
            (self.path, mode) = (Self.resolved(path), nil)
            return
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw SystemError(operation: "write", path: path, code: EISDIR)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        (self.path, mode) = (Self.resolved(path), status.st_mode & 0o777)
        // Another file takes the place of one that its mode protects, but not of one that its disk does.
        guard PathCalls.access(self.path, W_OK) != 0 else { return }
        let code = errno
        if code == EROFS || code == EPERM || code == EACCES && keepsItsPlace(status) {
            throw SystemError(operation: "write", path: path, code: code)
        }
    }

    /// The folder it is in, with a slash at the end.
    var folder: String { Self.folder(path) }

    private static func folder(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./"
    }

    /// The path of what a path leads to, also where nothing is there yet.
    static func resolved(_ path: String) -> String {
        var path = path
        // As many links as the system follows.
        for _ in 0..<40 {
            // Not Foundation's, to which a folder called ~ is the user's own.
            if let real = PathCalls.resolved(path) { return real }
            guard errno == ENOENT, let next = PathCalls.linkTarget(path) else { break }
            path = next.hasPrefix("/") ? next : folder(path) + next
        }
        return path
    }

    // Whether no other file can take its name: something is mounted there, as a container does with single
    // files, or it is another user's in a folder where all may write.
    private func keepsItsPlace(_ status: stat) -> Bool {
        let isOthers =
            PathCalls.status(folder).map { parent in
                parent.st_mode & S_ISVTX != 0 && ![status.st_uid, parent.st_uid].contains(geteuid())
            } ?? false
        return isOthers || isMounted
    }

    private var isMounted: Bool {
        guard let table = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else {
            return false
        }
        // "36 35 98:0 /root /mount/point rw …", where a space is \\040.
        let name = path.replacing("\\", with: "\\134").replacing(" ", with: "\\040")
            .replacing("\t", with: "\\011").replacing("\n", with: "\\012")
        return table.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            return fields.count > 4 && fields[4] == name
        }
    }

    /// Whether a rename that failed so says that the file there keeps its place.
    static func isInPlace(_ code: Int32) -> Bool { [EBUSY, EPERM, EXDEV].contains(code) }

    /// Gives a file that keeps its place the bytes of another, for which there is room before it loses its own.
    static func copy(
        _ source: Int32, to target: String, _ path: String, isDurable: Bool
    ) throws(SystemError) {
        let descriptor = Int32(
            try checked(Int(PathCalls.open(target, O_WRONLY | O_CLOEXEC)), "write", path))
        defer { close(descriptor) }
        let size = try checked(lseek(source, 0, SEEK_END), "write", path)
        let before = try checked(lseek(descriptor, 0, SEEK_END), "write", path)
        if size > before {
            let code = posix_fallocate(descriptor, 0, size)
            guard code == 0 else {
                ftruncate(descriptor, before)
                throw SystemError(operation: "write", path: path, code: code)
            }
        }
        let parts = OutputParts(descriptor, path, start: 0)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var done = 0
        while done < size {
            let found = unsafe pread(source, buffer.baseAddress!, buffer.count, done)
            if found == -1, errno == EINTR { continue }
            guard try checked(found, "write", path) > 0 else { break }
            let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<found])
            try unsafe parts.write(RawSpan(_unsafeBytes: part), at: done)
            done += found
        }
        _ = try checked(Int(ftruncate(descriptor, size)), "write", path)
        if isDurable { _ = try checked(Int(fsync(descriptor)), "write", path) }
    }
}

// Files that are written before they take the target's name.
extension OutputTarget {
    private static let start = ".attention-probes-"
    private static let ending = ".partial"
    private static let visited = Mutex<Set<String>>([])

    /// Opens such a file: one without a name where the disk knows that (`name` is what to give it), else a hidden one.
    func openTemporary() throws(SystemError) -> (descriptor: Int32, name: String, hasNoName: Bool) {
        while true {
            let name = "\(folder)\(Self.start)\(UInt64.random(in: 0 ... .max))\(Self.ending)"
            var descriptor = Self.openNameless(in: folder, O_RDWR | O_CLOEXEC)
            let hasNoName = descriptor != -1
            if !hasNoName {
                let flags = O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL
                descriptor = Int32(
                    try checked(Int(PathCalls.open(name, flags, 0o666)), "write", given))
            }
            do {
                try Self.claim(descriptor, hasNoName ? nil : name)
            } catch let fault where fault.code == EWOULDBLOCK {
                // Taken for an abandoned one before it was locked.
                close(descriptor)
                continue
            } catch {
                // Where there are no locks, none is taken for that.
            }
            return (descriptor, name, hasNoName)
        }
    }

    /// Removes such files that processes have left which were killed: their locks are gone with them. Each process
    /// looks into a folder once.
    func removeAbandoned() {
        let folder = folder
        guard Self.visited.withLock({ $0.insert(folder).inserted }) else { return }
        var paths: [String] = []
        _ = try? firstName(inFolder: folder, hidden: true) { name in
            if name.hasPrefix(Self.start), name.hasSuffix(Self.ending) { paths.append(folder + name) }
            return false
        }
        for path in paths {
            let descriptor = PathCalls.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard descriptor != -1 else { continue }
            if (try? Self.claim(descriptor, path)) != nil { PathCalls.remove(path) }
            close(descriptor)
        }
    }

    /// Locks an open file for as long as it is open: two runs must not write one file, nor one what another has just
    /// given the target's name.
    ///
    /// - Parameter path: the name that it must still have; nil where it has none.
    /// - Throws: `SystemError` "lock".
    static func claim(_ descriptor: Int32, _ path: String?) throws(SystemError) {
        let isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        guard let path else { return }
        var opened = stat()
        guard isLocked, unsafe fstat(descriptor, &opened) == 0 else {
            throw SystemError(operation: "lock", path: path, code: errno)
        }
        guard FileIdentity(path: path) == FileIdentity(opened) else {
            throw SystemError(operation: "lock", path: path, code: EWOULDBLOCK)
        }
    }

    /// A file without a name that may be given one later; -1 where there is no such thing.
    static func openNameless(in folder: String, _ flags: Int32) -> Int32 {
        guard PathCalls.access("/proc/self/fd", X_OK) == 0 else { return -1 }
        // O_TMPFILE, which Swift does not import.
        return PathCalls.open(folder, flags | O_DIRECTORY | 0o20_000_000, 0o666)
    }
}
