private import Glibc

/// A file that is read when it is looked at: whole, but for its head and short parts.
final class SmallFile: Sendable {
    let bytes: OnDemandBytes
    let identity: FileIdentity
    /// The file, open, where there are not too many of them.
    let kept: Descriptor?
    private let path: String
    private let count: Int

    static let headSize = 4096

    /// Reads the first bytes.
    ///
    /// - Throws: `SystemError` where they cannot be read.
    init(_ path: String, _ descriptor: Descriptor, _ identity: FileIdentity, _ count: Int)
        throws(SystemError)
    {
        var code: Int32 = 0
        let head = unsafe HeldBytes(count: min(count, Self.headSize), isBrief: count > Self.headSize) {
            let isRead = unsafe descriptor.read(into: $0)
            code = isRead ? 0 : errno == 0 ? EIO : errno
            return isRead
        }
        guard code == 0 else { throw SystemError(operation: "read", path: path, code: code) }
        let kept = descriptor.keep() ? descriptor : nil
        (self.path, self.identity, self.count, self.kept) = (path, identity, count, kept)
        bytes = OnDemandBytes(count: count, head: head) { range, damage in
            unsafe HeldBytes(count: range.count, isBrief: true) { buffer in
                let isRead = unsafe Self.read(range.lowerBound, into: buffer, of: path, kept, identity)
                if !isRead { damage.report(.cut) }
                return isRead
            }
        }
    }

    // Reads from a place of the file that was opened, if it is still there.
    private static func read(
        _ start: Int, into buffer: UnsafeMutableRawBufferPointer, of path: String, _ kept: Descriptor?,
        _ identity: FileIdentity
    ) -> Bool {
        if let kept { return unsafe kept.read(into: buffer, from: start) }
        guard let opened = try? Descriptor(path), let status = try? opened.status(path),
            FileIdentity(status) == identity
        else { return false }
        return unsafe opened.read(into: buffer, from: start)
    }

    /// Its length now, at most what it was; nil where it is not known.
    var presentLength: Int? {
        if let kept { return (try? kept.status(path)).map { min(count, Int($0.st_size)) } }
        return identity.length(at: path).map { min(count, $0) } ?? (count <= Self.headSize ? count : nil)
    }
}
