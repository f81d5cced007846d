private import CKernels

/// A hash of numbers, texts and hidden states one after the other, the same in every run: it tells data from others
/// that nobody made alike on purpose.
package struct DataHash: Sendable {
    /// What all that was added comes to.
    package private(set) var value: UInt64 = 0

    /// A hash of nothing.
    package init() {}

    /// Adds a number. O(1).
    package mutating func add(_ number: UInt64) { value = ck_hash_number(value, number) }

    /// Adds bytes, and how many there are. O(n).
    package mutating func add(_ bytes: Span<UInt8>) {
        value = unsafe bytes.withUnsafeBufferPointer { unsafe ck_hash_bytes(value, $0.baseAddress, $0.count) }
    }

    /// Adds a text, and how long it is. O(n).
    package mutating func add(_ text: String) { add(Array(text.utf8).span) }

    /// Adds rows of hidden states with the bits they are stored with, wherever that is, how they are stored, and their
    /// scales. O(n).
    ///
    /// - Parameter scratch: room for some rows, which grows and stays.
    package mutating func add(_ rows: Range<Int>, of states: TokenMatrix, scratch: inout [UInt8]) {
        add(states.elementType.rawValue)
        let most = max(1, Self.blockSize / states.rowSize)
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: most) {
            let block = start..<min(start + most, rows.upperBound)
            let size = block.count * states.rowSize
            if scratch.count < size { scratch = Array(repeating: 0, count: size) }
            states.copyRows(block, into: &scratch, at: 0)
            add(scratch.span.extracting(first: size))
            for scale in states.scales(block) { add(UInt64(scale.bitPattern)) }
        }
    }

    // A block is still in a core's cache after it was put together.
    private static let blockSize = 1 << 18
}
