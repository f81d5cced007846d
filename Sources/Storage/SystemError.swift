private import Glibc

/// A call to the operating system that failed: what was tried, on which file, and why.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    /// What was tried: "open" or "map" a file to be read, "write" or "replace" one.
    public let operation: String
    /// The file it was tried on.
    public let path: String
    /// The C library's error number.
    public let code: Int32

    /// True if a file to be read is not there or cannot be opened, but not where the process may open no more files
    /// or the machine has no room for them.
    package var isMissingInput: Bool {
        ["open", "map"].contains(operation) && isOfFile
    }

    /// True unless the process may open no more files, or the machine has no room for them.
    package var isOfFile: Bool { ![EMFILE, ENFILE, ENOMEM].contains(code) }

    /// True if nothing is at the path.
    package var isAbsent: Bool { code == ENOENT }

    /// True if what is at the path is no file: a folder, a device.
    package var isOfOtherKind: Bool { operation == "map" && [EISDIR, EINVAL].contains(code) }

    /// "cannot open x.safetensors: No such file or directory".
    public var description: String {
        let reason =
            if isOfOtherKind, code == EINVAL {
                "expected a file, found a pipe or a device, which can be read only once"
            } else if operation == "lock", code == EWOULDBLOCK {
                "another process is writing it"
            } else {
                unsafe String(cString: strerror(code))
            }
        return "cannot \(operation) \(path): \(reason)"
    }
}

/// Turns the C convention of -1 and errno into a Swift error.
func checked(_ status: Int, _ operation: String, _ path: String) throws(SystemError) -> Int {
    guard status != -1 else { throw SystemError(operation: operation, path: path, code: errno) }
    return status
}
