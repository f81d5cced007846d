private import Foundation

/// The next bytes of a file, which several threads write side by side, each part at its own place.
///
/// Each is written by the thread that made it, from a buffer that is used again: handing them on to one
/// thread, and fresh memory for each, took two to three times as long.
public struct OutputParts: Sendable {
    private let descriptor: Int32
    private let path: String
    // Where the first byte is in the file; nil for a pipe or device.
    private let start: Int?

    /// Bytes of a part. The pages that the system makes for it are as large as it allows, and decide how fast
    /// the file can be read from its cache: parts of 2 MB left it at half the rate.
    public static let size = 16 << 20

    /// Bytes to hand over at once: a part, and for a pipe, which keeps no pages, few.
    public var bufferSize: Int { areInOrder ? 256 << 10 : Self.size }

    init(_ descriptor: Int32, _ path: String, start: Int?) {
        (self.descriptor, self.path, self.start) = (descriptor, path, start)
    }

    /// Whether parts must be written in their order, one after the other: a pipe has no places.
    public var areInOrder: Bool { start == nil }

    /// Writes the first `count` bytes at a place, counted from the first of all.
    public func write(_ bytes: [UInt8], _ count: Int, at place: Int) throws(SystemError) {
        try unsafe write(bytes.span.bytes.extracting(first: count), at: place)
    }

    func write(_ bytes: RawSpan, at place: Int) throws(SystemError) {
        var done = 0
        while done < bytes.byteCount {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                let (from, count) = unsafe (buffer.baseAddress! + done, buffer.count - done)
                return if let start {
                    unsafe pwrite(descriptor, from, count, off_t(start + place + done))
                } else {
                    unsafe Foundation.write(descriptor, from, count)
                }
            }
            if written == -1, errno == EINTR { continue }
            done += try checked(written, "write", path)
        }
    }

    /// Writes bytes of a file at a place. Read through a buffer, which is faster than looking at them in
    /// a mapping, and than leaving the copy to the system.
    ///
    /// - Precondition: the range lies inside the file.
    /// - Throws: `SystemError`, also where the file has become shorter.
    public func copy(_ file: MappedFile, _ range: Range<Int>, at place: Int) throws(SystemError) {
        guard let source = file.reopened() else {
            try file.withBytes(range) { (bytes) throws(SystemError) in try write(bytes, at: place) }
            return
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.size, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.size) {
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<min(Self.size, range.upperBound - start)])
            guard unsafe source.read(into: part, from: start) else {
                throw SystemError(operation: "read", path: file.path, code: errno == 0 ? EIO : errno)
            }
            let bytes = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(part))
            try write(bytes, at: place + start - range.lowerBound)
        }
    }
}
