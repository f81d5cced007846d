internal import Foundation

/// Whether there is a folder at a path, or a link to one.
public func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Which file something is, whatever path leads to it.
public struct FileIdentity: Sendable, Hashable {
    private let device: UInt
    private let inode: UInt

    init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }

    /// The file at a path, through links; nil if there is none.
    public init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The same; nil also for a folder, a pipe or a device.
    public init?(regularFile path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }
}

/// Whether two paths lead to one file, through links or not; false where there is none.
public func isSameFile(_ a: String, _ b: String) -> Bool {
    guard let first = FileIdentity(path: a) else { return false }
    return first == FileIdentity(path: b)
}

/// Whether another process holds a lock (`flock`) on a file that keeps readers out; false where there
/// is no such file, or locks are not known.
public func isLocked(_ path: String) -> Bool {
    (try? Descriptor(path))?.isLocked ?? false
}
