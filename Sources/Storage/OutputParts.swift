private import Glibc
private import Synchronization

/// The next bytes of a file, which several threads write side by side, each part at its own place.
///
/// Each is written by the thread that made it, from a buffer that is used again: handing them on to one
/// thread, and fresh memory for each, took two to three times as long.
package struct OutputParts: Sendable {
    private let descriptor: Int32
    private let path: String
    // Where the first byte is in the file; nil for a pipe or device.
    private let start: Int?
    private final class Counter: Sendable { let bytes = Atomic(0) }
    private let written = Counter()

    /// Bytes written so far, by all threads.
    var byteCount: Int { written.bytes.load(ordering: .relaxed) }

    /// Bytes of a part: of the largest page that the system's cache has, as a part ends at a multiple of its size in
    /// the file. Pages are as large as what is written at once allows, and decide how fast the file can be read
    /// from the cache: parts of 2 MB that end anywhere left it at half the rate, of 16 MB at nine tenths.
    /// (Larger ones do not gain, and take longer where the disk is behind.) For a pipe, which keeps no
    /// pages, they are small.
    var size: Int { start == nil ? 256 << 10 : 2 << 20 }

    /// Bytes from a place to where its part ends.
    func left(at place: Int) -> Int { size - ((start ?? 0) + place) % size }

    init(_ descriptor: Int32, _ path: String, start: Int?) {
        (self.descriptor, self.path, self.start) = (descriptor, path, start)
    }

    /// Whether parts must be written in their order, one after the other: a pipe has no places.
    package var areInOrder: Bool { start == nil }

    /// Writes bytes at a place, counted from the first of all.
    package func write(_ bytes: RawSpan, at place: Int) throws(SystemError) {
        var done = 0
        while done < bytes.byteCount {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                let (from, count) = unsafe (buffer.baseAddress! + done, buffer.count - done)
                return if let start {
                    unsafe pwrite(descriptor, from, count, off_t(start + place + done))
                } else {
                    unsafe Glibc.write(descriptor, from, count)
                }
            }
            if written == -1, errno == EINTR { continue }
            done += try checked(written, "write", path)
        }
        self.written.bytes.add(done, ordering: .relaxed)
    }

    /// Writes bytes of a file at a place. Read through a buffer, which is faster than looking at them in
    /// a mapping, and than leaving the copy to the system.
    ///
    /// - Precondition: the range lies inside the file.
    /// - Throws: `SystemError`, also where the file has become shorter.
    package func copy(_ file: ByteSource, _ range: Range<Int>, at place: Int) throws(SystemError) {
        guard let source = file.reopened() else {
            try file.withBytes(range) { (bytes) throws(SystemError) in try write(bytes, at: place) }
            return
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var done = 0
        while done < range.count {
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<min(left(at: place + done), range.count - done)])
            guard unsafe source.read(into: part, from: range.lowerBound + done) else {
                throw SystemError(operation: "read", path: file.path, code: errno == 0 ? EIO : errno)
            }
            let bytes = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(part))
            try write(bytes, at: place + done)
            done += part.count
        }
    }
}
