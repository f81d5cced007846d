private import Glibc

/// Bytes that follow each other in a file, gathered until a part of it is full (`OutputParts`). Each thread
/// has one and uses it again.
package struct OutputBuffer {
    private let parts: OutputParts
    private var bytes: [UInt8]
    private var count = 0
    private var place = 0

    /// An empty buffer.
    package init(_ parts: OutputParts) {
        self.parts = parts
        bytes = Array(repeating: 0, count: parts.size)
    }

    /// Goes on at another place, counted from the first byte of all parts. What was not written is dropped.
    package mutating func move(to place: Int) { (self.place, count) = (place, 0) }

    /// Adds bytes that `body` writes into an array from an index on.
    package mutating func append(_ more: Int, _ body: (inout [UInt8], Int) throws -> Void) throws {
        if bytes.count < count + more {
            bytes.append(contentsOf: repeatElement(0, count: count + more - bytes.count))
        }
        try body(&bytes, count)
        count += more
        while count >= parts.left(at: place) { try write(parts.left(at: place)) }
    }

    /// Writes what is left.
    package mutating func finish() throws(SystemError) { try write(count) }

    private mutating func write(_ first: Int) throws(SystemError) {
        try unsafe parts.write(bytes.span.bytes.extracting(first: first), at: place)
        unsafe bytes.withUnsafeMutableBytes { bytes in
            _ = unsafe memmove(bytes.baseAddress!, bytes.baseAddress! + first, count - first)
        }
        place += first
        count -= first
    }
}
