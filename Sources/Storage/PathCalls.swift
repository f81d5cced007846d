internal import Glibc

// Calls of the system that take a path. Each gives what C gives: -1, or nil, and `errno` where it fails.
enum PathCalls {
    static func open(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 {
        path.withPath { unsafe Glibc.open($0, flags, mode) }
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return path.withPath { unsafe stat($0, &status) } == 0 ? status : nil
    }

    static func makeFolder(_ path: String) -> Int32 { path.withPath { unsafe mkdir($0, 0o777) } }

    static func access(_ path: String, _ mode: Int32) -> Int32 {
        path.withPath { unsafe Glibc.access($0, mode) }
    }

    @discardableResult
    static func remove(_ path: String) -> Int32 { path.withPath { unsafe unlink($0) } }

    static func rename(_ path: String, to other: String) -> Int32 {
        path.withPath { path in other.withPath { unsafe Glibc.rename(path, $0) } }
    }

    /// Gives an open file without a name one.
    static func link(_ descriptor: Int32, to path: String) -> Int32 {
        path.withPath {
            unsafe linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, $0, AT_SYMLINK_FOLLOW)
        }
    }

    /// The path without links; nil also where nothing is there.
    static func resolved(_ path: String) -> String? {
        guard let real = path.withPath({ unsafe realpath($0, nil) }) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(pathFrom: real)
    }

    /// What a link says; nil for anything else.
    static func linkTarget(_ path: String) -> String? {
        var text = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe text.withUnsafeMutableBytes { buffer in
            path.withPath { unsafe readlink($0, buffer.baseAddress!, buffer.count) }
        }
        return count > 0 ? String(pathBytes: Array(text[..<count])) : nil
    }

    static func freeSpace(_ path: String) -> statvfs? {
        var status = statvfs()
        return path.withPath { unsafe statvfs($0, &status) } == 0 ? status : nil
    }
}
