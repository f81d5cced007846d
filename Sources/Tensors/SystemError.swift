private import Foundation

/// A call to the operating system that failed: what was tried, on which file, and why.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    /// What was tried: "open" or "map" a file to be read, "write" or "replace" one.
    public let operation: String
    /// The file it was tried on.
    public let path: String
    /// The C library's error number.
    public let code: Int32

    /// True if a file to be read is not there or cannot be opened.
    public var isMissingInput: Bool { operation == "open" || operation == "map" }

    /// "cannot open x.safetensors: No such file or directory".
    public var description: String {
        "cannot \(operation) \(path): \(unsafe String(cString: strerror(code)))"
    }
}

/// Turns the C convention of -1 and errno into a Swift error.
func checked(_ status: Int, _ operation: String, _ path: String) throws(SystemError) -> Int {
    guard status != -1 else { throw SystemError(operation: operation, path: path, code: errno) }
    return status
}

/// Whether there is a folder at a path, or a link to one.
public func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether two paths lead to one file, through links or not; false where there is none.
public func isSameFile(_ a: String, _ b: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard unsafe stat(a, &first) == 0, unsafe stat(b, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
}
