internal import Glibc
private import Synchronization

// Texts that are read from their beginning to their end, which pipes and standard input can do too: tables, lists of ids.
extension ByteSource {
    /// What stands for standard input in place of a path.
    package static let standardInput = "-"

    private static let kept = Mutex<[FileIdentity: [UInt8]]?>(nil)

    /// Keeps from now on what is read of pipes and standard input, so that a second look at one finds the same. For
    /// programs, which mean one pipe wherever they are given its name.
    package static func keepPipes() { kept.withLock { $0 = $0 ?? [:] } }

    /// The bytes of a file, or all that comes out of a pipe or of standard input. O(bytes).
    ///
    /// - Parameter path: the path, or "-" for standard input.
    /// - Throws: `SystemError` where it cannot be read, or is a folder.
    package static func whole(_ path: String) throws(SystemError) -> ByteSource {
        let isStandard = path == standardInput
        // What is no pipe has errors of its own: a folder, a device that never ends.
        let identity = isStandard ? FileIdentity(descriptor: STDIN_FILENO) : FileIdentity(pipe: path)
        if !isStandard, identity == nil { return try ByteSource(path: path) }
        let name = isStandard ? "standard input" : path
        // Standard input has several names.
        if let identity, let known = kept.withLock({ $0?[identity] }) {
            return ByteSource(copying: known, name: name)
        }
        let bytes = try isStandard ? all(of: STDIN_FILENO, name) : pipe(path)
        if let identity { kept.withLock { $0?[identity] = bytes } }
        return ByteSource(copying: bytes, name: name)
    }

    // Waits for somebody who writes it.
    private static func pipe(_ path: String) throws(SystemError) -> [UInt8] {
        let descriptor = try Int32(checked(Int(PathCalls.open(path, O_RDONLY | O_CLOEXEC)), "open", path))
        defer { close(descriptor) }
        return try all(of: descriptor, path)
    }

    private static func all(of descriptor: Int32, _ name: String) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
            }
            if count == -1, errno == EINTR { continue }
            guard try checked(count, "read", name) > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }
}
