internal import Glibc

/// Whether there is a folder at a path, or a link to one.
package func isFolder(_ path: String) -> Bool {
    PathCalls.status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
}

/// Makes a folder where there is none; that which it goes into must be there.
///
/// - Throws: `SystemError` where it cannot be made.
package func makeFolder(_ path: String) throws(SystemError) {
    guard !isFolder(path) else { return }
    _ = try checked(Int(PathCalls.makeFolder(path)), "write", path)
}

/// The names of the files in a folder, those that start with a dot left out, in the order of their bytes.
/// O(n log n), by `scandir`: of thousands, Foundation's list and Swift's order of strings are a tenth of
/// the time that scoring the files takes.
///
/// - Throws: `SystemError` where it cannot be listed.
package func names(inFolder path: String) throws(SystemError) -> [String] {
    var entries: UnsafeMutablePointer<UnsafeMutablePointer<dirent>?>?
    let found = path.withPath { path in
        unsafe scandir(
            path, &entries,
            { entry in
                let isHidden = unsafe fileName(entry!)[0] == CChar(UInt8(ascii: "."))
                return unsafe isHidden || entry!.pointee.d_type == UInt8(DT_DIR) ? 0 : 1
            },
            { unsafe strcmp(fileName($0!.pointee!), fileName($1!.pointee!)) })
    }
    let count = try checked(Int(found), "open", path)
    // Where there is nothing, there is no list either.
    guard let entries = unsafe entries else { return [] }
    defer { unsafe free(entries) }
    return (0..<count).map { i in
        let entry = unsafe entries[i]!
        defer { unsafe free(entry) }
        return unsafe String(pathFrom: fileName(entry))
    }
}

/// A name in a folder that fulfils a condition and does not start with a dot, whichever the system lists
/// first; nil where there is none.
///
/// - Throws: `SystemError` where it cannot be listed.
package func firstName(
    inFolder path: String, hidden: Bool = false, where condition: (String) -> Bool
) throws(SystemError) -> String? {
    guard let folder = path.withPath({ unsafe opendir($0) }) else {
        throw SystemError(operation: "open", path: path, code: errno)
    }
    defer { unsafe closedir(folder) }
    while let entry = unsafe readdir(folder) {
        let name = unsafe String(pathFrom: fileName(entry))
        if hidden || !name.hasPrefix("."), condition(name) { return name }
    }
    return nil
}

private func fileName(_ entry: UnsafePointer<dirent>) -> UnsafePointer<CChar> {
    unsafe (UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!)
        .assumingMemoryBound(to: CChar.self)
}

/// Which file something is, whatever path leads to it.
package struct FileIdentity: Sendable, Hashable {
    private let device: UInt
    private let inode: UInt

    init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }

    /// The file at a path, through links; nil if there is none.
    package init?(path: String) {
        guard let status = PathCalls.status(path) else { return nil }
        self.init(status)
    }

    /// The same; nil also for a folder, a pipe or a device.
    package init?(regularFile path: String) {
        guard let status = PathCalls.status(path), status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    /// The pipe at a path; nil for anything else, and where there is nothing.
    init?(pipe path: String) {
        guard let status = PathCalls.status(path), status.st_mode & S_IFMT == S_IFIFO else { return nil }
        self.init(status)
    }

    /// What a descriptor is open on; nil where it is closed.
    init?(descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The length of this file, as long as it is the one at a path.
    func length(at path: String) -> Int? {
        guard let status = PathCalls.status(path), FileIdentity(status) == self else { return nil }
        return Int(status.st_size)
    }
}

/// Whether two paths lead to one file, through links or not; false where there is none.
package func isSameFile(_ a: String, _ b: String) -> Bool {
    guard let first = FileIdentity(path: a) else { return false }
    return first == FileIdentity(path: b)
}

/// Whether another process holds a lock (`flock`) on a file that keeps readers out; false where there
/// is no such file, or locks are not known.
package func isLocked(_ path: String) -> Bool {
    (try? Descriptor(path))?.isLocked ?? false
}

/// Which file there is at a path, and when it was last written: another after it was written again.
package struct FileVersion: Sendable, Hashable {
    private let identity: FileIdentity
    private let size, seconds, nanoseconds: Int

    /// - Returns: nil where there is no regular file.
    package init?(path: String) {
        guard let status = PathCalls.status(path), status.st_mode & S_IFMT == S_IFREG else { return nil }
        identity = FileIdentity(status)
        (size, seconds, nanoseconds) = (Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
}
